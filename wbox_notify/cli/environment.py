"""The environment of a Python, in which every program that imports Apprise is to know ``wbox://``.

Hosts such as borgmatic and mailrise look into no plugin folder, and those that pin their packages cannot
take those of the daemon. So a copy of the provider goes there, and a ``.pth`` file imports it at each start.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wbox_notify.errors import WboxError

MARK = "# written by wbox-notify install apprise"
_PACKAGE = "wbox_notify_apprise"
_PARTS = ("apprise_hook.py", "apprise_plugin.py")
_NEEDED = (1, 9, 1)

# It runs in whichever Python that is: 3.9 or newer can load the provider.
_ASK = """\
import json, os, site, sys, sysconfig
place = sysconfig.get_path("purelib")
if site.ENABLE_USER_SITE and not os.access(place, os.W_OK):
    place = site.getusersitepackages()
try:
    from importlib.metadata import version
    apprise = version("apprise")
except Exception:
    apprise = None
print(json.dumps({"place": place, "python": sys.version_info[:2], "apprise": apprise}))
"""

_INIT = f"""\
{MARK}
try:
    import wbox_notify.apprise_hook  # where all of it is installed, that is up to date, and watches
except ImportError:
    from {_PACKAGE}.apprise_hook import watch_for_apprise

    watch_for_apprise()
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a Python finds its packages.

    Attributes:
        python: The interpreter.
        place: The folder of its packages, or the user's own where that one cannot be written.
        version: Which Python it is.
        apprise: Which Apprise is there; None where there is none.
    """

    python: Path
    place: Path
    version: tuple[int, int]
    apprise: str | None

    @property
    def link(self) -> Path:
        """The file that imports the provider whenever this Python starts."""
        return self.place / f"{_PACKAGE}.pth"

    def check(self) -> None:
        """Raise WboxError if the provider cannot work there."""
        if self.version < (3, 9):
            raise WboxError(f"{self.python} is older than Python 3.9", hint="use apprise-api beside it")
        found = tuple(int(part) for part in re.findall(r"\d+", self.apprise or "")[:3])
        if found < _NEEDED:
            there = f"has Apprise {self.apprise}" if self.apprise else "has no Apprise"
            hint = f"{self.python} -m pip install 'apprise>=1.9.1', or name the Python of your program"
            raise WboxError(f"{self.python} {there}, and wbox:// needs 1.9.1 or newer", hint=hint)

    def install(self) -> str:
        """Copy the provider there; return what was done. Raises OSError."""
        folder = self._ours()
        folder.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:
            shutil.copyfile(Path(__file__).parents[1] / part, folder / part)
        (folder / "__init__.py").write_text(_INIT, encoding="utf-8")
        # Last: from here on each start of that Python imports it.
        self.link.write_text(f"{MARK}\nimport {_PACKAGE}\n", encoding="utf-8")
        return "installed"

    def remove(self) -> str:
        """Take the provider away from there; return what was done. Raises OSError."""
        folder = self._ours()
        existed = self.link.exists()
        self.link.unlink(missing_ok=True)
        if folder.exists():
            shutil.rmtree(folder)
        return "removed" if existed else "not there"

    def _ours(self) -> Path:
        """Return the folder of the copy; refuse one that somebody else has made."""
        folder = self.place / _PACKAGE
        start = folder / "__init__.py"
        if folder.exists() and not (start.exists() and MARK in start.read_text(encoding="utf-8")):
            raise WboxError(f"{folder} is not ours", hint="move it away first")
        return folder


def environment(python: Path) -> Environment:
    """Return the environment of an interpreter.

    Raises:
        WboxError: it does not run.
    """
    # A link to an interpreter is not followed: that is what makes an environment.
    found = Path(shutil.which(python) or python).absolute()
    try:
        # -E and another folder: what lies here, or stands in this shell, is not what the program runs with.
        ran = subprocess.run(  # noqa: S603 - it is what the person has named
            [found, "-E", "-c", _ASK], cwd="/", capture_output=True, text=True, timeout=60, check=True
        )
        told: dict[str, Any] = json.loads(ran.stdout)
        return Environment(found, Path(told["place"]), tuple(told["python"]), told["apprise"])
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        hint = "name the python of the environment, such as /opt/borgmatic/bin/python"
        raise WboxError(f"{python} is not a Python that runs", hint=hint) from error
