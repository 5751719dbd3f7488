"""A daemon in this process with a console, over a simulator, and a way to log in to it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import requests
from workplace import TEXT_RULE, settings_for

from wbox_notify.daemon.daemon import Daemon
from wbox_notify.rules.loading import load
from wbox_notify.simulator import Simulator

WITHIN = 20.0
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class House:
    """A project folder with some rules, and a daemon that runs there.

    Attributes:
        folder: The project folder; its data folder is ``data``.
        daemon: The daemon.
        wbox: The simulator that it sends to.
    """

    def __init__(
        self, folder: Path, files: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.wbox = Simulator()
        self.wbox.start()
        (folder / "drop").mkdir(parents=True)
        for name, text in (files or {"rules/rule.yaml": TEXT_RULE}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        self.environ = {**settings_for(self.wbox, folder / "data"), **(environ or {})}
        self.daemon = Daemon(load(folder, self.environ), self.environ)
        self.url = self.daemon.url

    def __enter__(self) -> Self:
        self.daemon.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.daemon.stop()
        self.wbox.stop()

    def login(self) -> "Visitor":
        """Return a visitor who has followed a login link."""
        visitor = Visitor(self.url)
        assert visitor.get(self.daemon.console_link().removeprefix(self.url)).status_code == 200
        return visitor


class Visitor(requests.Session):
    """A browser without scripts."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url

    def request(self, method: str, path: str, *args: object, **options: object) -> requests.Response:  # type: ignore[override]
        """Ask for a path."""
        options |= {"timeout": WITHIN, "allow_redirects": False}
        return super().request(method, self.url + path, *args, **options)  # type: ignore[arg-type]

    def press(self, page: str, path: str, **fields: object) -> requests.Response:
        """Post a form of a page as its button does."""
        found = _CSRF.search(self.get(page).text)
        assert found, "nobody is logged in"
        return self.post(path, data={"csrf": found[1], **fields})
