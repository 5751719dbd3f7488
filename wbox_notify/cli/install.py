"""``wbox-notify install apprise|service``.

Programs such as borgmatic and mailrise look into no Apprise plugin folder, and those that pin their packages
cannot take those of the daemon. So a copy of the provider goes into their environment, and a ``.pth`` file
imports it at each start.
"""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import open_project, sound
from wbox_notify.cli.unit import MARK as MARK_UNIT
from wbox_notify.cli.unit import Unit, unit
from wbox_notify.config.reading import read
from wbox_notify.errors import WboxError
from wbox_notify.model.text import printable
from wbox_notify.model.texts import Wording, _, problem_of, spoken, translated

_PLUGIN = "wbox.py"
_UNIT = "wbox-notify.service"
_MARK = "# written by wbox-notify install apprise"
_PACKAGE = "wbox_notify_apprise"
_PARTS = ("apprise_hook.py", "apprise_plugin.py")
_INSTALLED = Wording("installed")
_OLDEST_APPRISE = (1, 9, 1)

# It runs in whichever Python that is: 3.9 or newer can load the provider.
_ASK = """\
import json, os, site, sys, sysconfig
folder = sysconfig.get_path("purelib")
if site.ENABLE_USER_SITE and not os.access(folder, os.W_OK):
    folder = site.getusersitepackages()
try:
    from importlib.metadata import version
    apprise = version("apprise")
except Exception:
    apprise = None
print(json.dumps({"packages": folder, "python": sys.version_info[:2], "apprise": apprise}))
"""

_INIT = f"""\
{_MARK}
try:
    import wbox_notify.apprise_hook  # where all of it is installed, that is up to date, and watches
except ImportError:
    from {_PACKAGE}.apprise_hook import watch_for_apprise

    watch_for_apprise()
"""


@click.group("install")
def install() -> None:
    """Install wbox:// for Apprise, or the daemon as a systemd service."""


@install.command("apprise")
@click.option("--to", type=click.Path(path_type=Path), help="Only copy the whole plugin into this folder.")
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    help="Only install it for the programs of this Python (/opt/borgmatic/bin/python).",
)
@click.option("--remove", is_flag=True, help="Uninstall it.")
@json_option
def apprise(to: Path | None, python: Path | None, remove: bool, as_json: bool) -> int:
    """Install wbox:// for the apprise command, and for the programs of an environment.

    Writes one line into your Apprise plugin folder, which loads the provider from here, and a copy into the
    environment that wbox-notify is installed in, for programs there that look into no plugin folder. --python
    names another environment: it gets the copy and no other package. With --to the provider goes into a
    folder, for a container or another machine.
    """
    if to and python:
        raise click.UsageError(_("--to and --python cannot be combined"))
    done: dict[Path, Wording] = {}
    if not python:
        done.update(_change_folder(to, remove=remove))
    if not to:
        done.update(_change_environment(python, remove=remove))
    if as_json:
        path = next(iter(done))
        everything = {str(path): result for path, result in done.items()}
        say_json({"path": str(path), "done": done[path], "all": everything})
    else:
        for path, result in done.items():
            _tell(result, path)
        if _INSTALLED in done.values() and not python:
            say(_("Try it: {command}", command='apprise -b "Merhaba" "wbox://YOUR_KEY/905551234567"'))
    return 0


def _change_folder(to: Path | None, *, remove: bool) -> dict[Path, Wording]:
    """Install the provider into a plugin folder, or remove it; return the result by file."""
    target = (to or _plugin_folder()) / _PLUGIN
    with _writing(target, "use an account that may write there, or another folder with --to"):
        if remove:
            return {target: _remove(target, _MARK)}
        _check_ours(target, _MARK)
        spec = importlib.util.find_spec("wbox_notify.apprise_plugin")
        if spec is None or spec.origin is None:
            raise WboxError("the provider is not part of this installation", hint="install wbox-notify again")
        target.parent.mkdir(parents=True, exist_ok=True)
        if to:
            shutil.copyfile(spec.origin, target)
            return {target: Wording("copied")}
        # Run by its path: the apprise command may live in an environment that has no wbox_notify.
        path = repr(spec.origin)
        line = f'exec(compile(open({path}, encoding="utf-8").read(), {path}, "exec"))  {_MARK}\n'
        target.write_text(line, encoding="utf-8")
        return {target: _INSTALLED}


def _plugin_folder() -> Path:
    """Return the folder of this user that the apprise command loads plugins from."""
    if sys.platform == "win32":
        return Path(os.environ["APPDATA"]) / "Apprise" / "plugins"
    return Path.home() / ".config" / "apprise" / "plugins"


def _change_environment(python: Path | None, *, remove: bool) -> dict[Path, Wording]:
    """Install the provider into an environment, or remove it; return the result by file.

    This user may not be allowed to write into our own, and few need it there: that is no error.
    """
    environment = _environment(python or Path(sys.executable))
    try:
        with _writing(environment.link, "use an account that may write there, or another folder with --to"):
            if remove:
                return {environment.link: environment.remove()}
            environment.check()
            return {environment.link: environment.install()}
    except WboxError as error:
        if python:
            raise
        return {environment.link: Wording("not written ({reason})", reason=problem_of(error))}


@dataclass(frozen=True, slots=True)
class _Environment:
    """The place where a Python finds its packages.

    Attributes:
        python: The interpreter.
        packages: The folder of its packages, or the user's own where that one cannot be written.
        version: The version of the Python.
        apprise: The version of its Apprise, None if it has none.
    """

    python: Path
    packages: Path
    version: tuple[int, int]
    apprise: str | None

    @property
    def link(self) -> Path:
        """The file that imports the provider whenever this Python starts."""
        return self.packages / f"{_PACKAGE}.pth"

    def check(self) -> None:
        """Raise WboxError if the provider cannot work there."""
        if self.version < (3, 9):
            problem = Wording("{python} is older than Python 3.9", python=self.python)
            raise WboxError(problem, hint="use apprise-api beside it")
        version = tuple(int(part) for part in re.findall(r"\d+", self.apprise or "")[:3])
        if version < _OLDEST_APPRISE:
            problem = Wording("{python} has no Apprise; wbox:// needs 1.9.1 or newer", python=self.python)
            if self.apprise:
                problem = Wording(
                    "{python} has Apprise {version}; wbox:// needs 1.9.1 or newer",
                    python=self.python,
                    version=self.apprise,
                )
            hint = Wording(
                "{command}, or name the Python of your program",
                command=f"{self.python} -m pip install 'apprise>=1.9.1'",
            )
            raise WboxError(problem, hint=hint)

    def install(self) -> Wording:
        """Copy the provider there; return the result. Raises OSError."""
        folder = self._our_folder()
        folder.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:
            shutil.copyfile(Path(__file__).parents[1] / part, folder / part)
        (folder / "__init__.py").write_text(_INIT, encoding="utf-8")
        # Last: from here on each start of that Python imports it.
        self.link.write_text(f"{_MARK}\nimport {_PACKAGE}\n", encoding="utf-8")
        return _INSTALLED

    def remove(self) -> Wording:
        """Remove the provider from there; return the result. Raises OSError."""
        folder = self._our_folder()
        done = _unlink(self.link)
        if folder.exists():
            shutil.rmtree(folder)
        return done

    def _our_folder(self) -> Path:
        """Return the folder of the copy; refuse one that wbox-notify has not made."""
        folder = self.packages / _PACKAGE
        start = folder / "__init__.py"
        if folder.exists() and not (start.exists() and _MARK in start.read_text(encoding="utf-8")):
            raise WboxError(Wording("{path} is not ours", path=folder), hint="move it away first")
        return folder


def _environment(python: Path) -> _Environment:
    """Return the environment of an interpreter.

    Raises:
        WboxError: it does not run.
    """
    # A link to an interpreter is not followed: that is what makes an environment.
    path = Path(shutil.which(python) or python).absolute()
    try:
        # -E and another folder: the files here and the variables of this shell are not those of the program.
        process = subprocess.run(  # noqa: S603 - it is what the person has named
            [path, "-E", "-c", _ASK], cwd="/", capture_output=True, text=True, timeout=60, check=True
        )
        facts: dict[str, Any] = json.loads(process.stdout)
        return _Environment(path, Path(facts["packages"]), tuple(facts["python"]), facts["apprise"])
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        hint = "name the python of the environment, such as /opt/borgmatic/bin/python"
        raise WboxError(Wording("{python} is not a working Python", python=python), hint=hint) from error


@install.command("service")
@click.option("--system", "place", flag_value="system", help="For the whole machine; the default for root.")
@click.option("--user", "place", flag_value="user", help="For your own user.")
@click.option("--key", type=click.Path(path_type=Path), help="The file with the API key.")
@click.option("--to", type=click.Path(path_type=Path), help="Write the unit into this folder.")
@click.option("--print", "on_screen", is_flag=True, help="Print the unit and write nothing.")
@click.option("--remove", is_flag=True, help="Remove the unit.")
@json_option
@click.pass_obj
def service(config: Path | None, /, *, place: str | None, **options: Any) -> int:
    """Write a systemd unit that runs the daemon for this project folder.

    The unit may read the folders that rules watch and write its own state, and little else. Write it again
    when rules watch other folders.
    """
    if sys.platform == "darwin":
        raise WboxError("macOS has no systemd", hint="docs/install.md has an agent of launchd")
    system = place == "system" or (place is None and os.geteuid() == 0)
    target = (options["to"] or _unit_folder(system=system)) / _UNIT
    if options["remove"]:
        with _writing(target, "use sudo, or --user"):
            done = _remove(target, MARK_UNIT)
        steps = _steps_after_removal(system=system)
    else:
        project = sound(open_project(config))
        settings = read(project.settings.folder, os.environ).document.value or {}
        content = unit(project, settings, system=system, key=options["key"])
        if options["on_screen"]:
            return _show(target, content, as_json=options["as_json"])
        done = _write_unit(target, content)
        steps = [*_steps_elsewhere(target, options["to"], content), *_steps_after_writing(content)]
    if options["as_json"]:
        say_json({"path": str(target), "done": done, "next": steps})
    else:
        _tell(done, target)
        say(_("Next:"))
        for step in steps:
            say(f"  {printable(translated(step, spoken.get()))}")
    return 0


def _tell(result: Wording, path: Path) -> None:
    say(f"{result.to(spoken.get())}: {path}")


def _show(target: Path, content: Unit, *, as_json: bool) -> int:
    if as_json:
        say_json({"path": str(target), "unit": content.text()})
    else:
        say(content.text())
    return 0


def _unit_folder(*, system: bool) -> Path:
    """Return the folder of an administrator's, or this user's, systemd units."""
    if system:
        return Path("/etc/systemd/system")
    return Path.home() / ".config" / "systemd" / "user"


def _write_unit(target: Path, content: Unit) -> Wording:
    _check_ours(target, MARK_UNIT)
    text = content.text()
    with _writing(target, "use sudo, --user for your own user, or another folder with --to"):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return Wording("written")


def _steps_elsewhere(target: Path, to: Path | None, content: Unit) -> list[str]:
    """Return the step that brings a unit from another folder to where systemd looks."""
    folder = _unit_folder(system=content.system)
    if not to or to.absolute() == folder:
        return []
    sudo = "sudo " if content.system else ""
    return [f"{sudo}install -D -m 644 {_quoted(target.absolute())} {_quoted(folder / _UNIT)}"]


def _steps_after_writing(content: Unit) -> list[str]:
    """Return the remaining steps, each a command where it is one."""
    sudo, state = "", ""
    linger = [
        Wording(
            "{command}    # to keep it running while you are logged out", command="loginctl enable-linger"
        )
    ]
    if content.system:
        sudo, state, linger = "sudo ", "sudo WBOX_DATA_DIR=/var/lib/wbox-notify ", []
    control = _systemctl(system=content.system)
    keys = [path for path in content.credentials.values() if not path.exists()]
    steps: list[str] = [
        Wording(
            "{command}    # paste it, then Ctrl-D",
            command=f"{sudo}install -D -m 600 /dev/stdin {_quoted(path)}",
        )
        for path in keys
    ]
    steps += _steps_for_folders(content)
    steps += [
        Wording("give the secret `{name}` a file in wbox-notify.yaml, and install again", name=name)
        for name in content.lost
    ]
    steps += [f"{control} daemon-reload", f"{control} enable --now wbox-notify"]
    steps += linger
    ours = shutil.which("wbox-notify") or f"{sys.executable} -m wbox_notify"
    return [*steps, f"{state}{ours} -c {_quoted(content.folder)} status"]


def _steps_for_folders(content: Unit) -> list[str]:
    """Return the permissions that the daemon's own user lacks."""
    return [
        *(
            Wording("let a group read {path}: the daemon runs as a user of its own", path=path)
            for path in content.barred()
        ),
        *(
            Wording(
                "let a group write {path} (chmod g+rwxs): the daemon moves files there as a user of its own",
                path=path,
            )
            for path in content.locked()
        ),
        *(
            Wording(
                "make the folder {path}, and let a group write it (chmod g+rwxs): files are moved there",
                path=path,
            )
            for path in content.missing()
        ),
    ]


def _steps_after_removal(*, system: bool) -> list[str]:
    control = _systemctl(system=system)
    return [f"{control} disable --now wbox-notify", f"{control} daemon-reload"]


def _systemctl(*, system: bool) -> str:
    return "sudo systemctl" if system else "systemctl --user"


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


@contextmanager
def _writing(target: Path, hint: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WboxError(f"{target}: {error.strerror}", hint=hint) from error


def _remove(target: Path, mark: str) -> Wording:
    _check_ours(target, mark)
    return _unlink(target)


def _unlink(target: Path) -> Wording:
    try:
        target.unlink()
    except FileNotFoundError:
        return Wording("not there")
    return Wording("removed")


def _check_ours(target: Path, mark: str) -> None:
    """Refuse to change a file that wbox-notify has not written."""
    if not target.exists():
        return
    text = target.read_text(encoding="utf-8", errors="replace")
    if mark not in text and "class NotifyWbox(" not in text:
        raise WboxError(Wording("{path} is not ours", path=target), hint="move it away first")
