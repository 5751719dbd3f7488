"""The template files of one folder."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import jinja2
from jinja2.loaders import split_template_path

from wbox_notify.templates.errors import TemplateError, near
from wbox_notify.templates.layout import layout

ABSENT = "there is no template"
"""What the problem with a file begins with that is not there."""


class Folder(jinja2.BaseLoader):
    """The folder that files, includes, extends and imports come from, and nothing outside of it.

    ``is_private`` says of a file in it that it is no template, but holds a key.
    """

    def __init__(self, path: Path | None, is_private: Callable[[Path], bool] = lambda _path: False) -> None:
        self._path = path
        self._is_private = is_private

    def read(self, name: str) -> str:
        """Return what is in a file; TemplateError if it is not in the folder or no UTF-8 text."""
        if self._path is None:
            raise TemplateError(f"{ABSENT} '{name}': this project has no template folder")
        try:
            return self._text(self._path, name)
        except UnicodeDecodeError:
            raise TemplateError("this file is not UTF-8 text", name=name) from None
        except (
            jinja2.TemplateNotFound,
            FileNotFoundError,
            IsADirectoryError,
            NotADirectoryError,
            ValueError,
        ):
            hint = near(name, self.list_templates()) or None
            raise TemplateError(f"{ABSENT} '{name}' in {self._path}", hint=hint) from None
        except OSError as error:
            raise TemplateError(f"this file cannot be read: {error.strerror}", name=name) from None

    def _text(self, folder: Path, name: str) -> str:
        # The folder itself may be a link, and links in it may lead to other files in it: so mounts are made.
        real = Path(os.path.realpath(folder.joinpath(*split_template_path(name))))
        if not real.is_relative_to(os.path.realpath(folder)):
            raise TemplateError(f"'{name}' is a link that leads out of {folder}", hint="put a copy there")
        if self._is_private(real):
            raise TemplateError(f"'{name}' holds a key or a secret, so it is no template")
        if not stat.S_ISREG(real.stat().st_mode):  # to open a pipe would wait for somebody
            raise IsADirectoryError
        return real.read_text("utf-8-sig")

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str | None, None]:  # noqa: ARG002 - Jinja's
        """Return a file for Jinja, which expects its own error for one that is missing."""
        try:
            return layout(self.read(template)), None, None
        except TemplateError as error:
            raise jinja2.TemplateNotFound(template, str(error)) from error

    def list_templates(self) -> list[str]:
        """Return the names of all files in the folder."""
        if self._path is None or not self._path.is_dir():
            return []
        return sorted(
            file.relative_to(self._path).as_posix() for file in self._path.rglob("*") if file.is_file()
        )
