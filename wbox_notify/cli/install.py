"""``wbox-notify install apprise|service``."""

import importlib.util
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from wbox_notify.cli.environment import MARK as MARK_PLUGIN
from wbox_notify.cli.environment import Environment, environment
from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import open_project, sound
from wbox_notify.cli.unit import MARK, Unit, unit
from wbox_notify.config.settings import read
from wbox_notify.errors import WboxError
from wbox_notify.model.text import printable

_NAME = "wbox.py"
_UNIT = "wbox-notify.service"


@click.group("install")
def command() -> None:
    """Make wbox:// known to the apprise command, or the daemon to systemd."""


@command.command("apprise")
@click.option(
    "--to", type=click.Path(path_type=Path), help="Copy the whole plugin into this folder, and no more."
)
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    help="Make it known to the programs of this Python (/opt/borgmatic/bin/python), and no more.",
)
@click.option("--remove", is_flag=True, help="Take it away again.")
@json_option
def apprise(to: Path | None, python: Path | None, remove: bool, as_json: bool) -> int:
    """Make wbox:// known to Apprise: to the apprise command, and to the programs of an environment.

    Writes one line into your Apprise plugin folder, which loads the provider from here, and a copy into the
    environment that wbox-notify is installed in, for programs there that look into no plugin folder. --python
    names another environment: it gets the copy and no other package. With --to the provider goes into a
    folder, for a container or another machine.
    """
    if to and python:
        raise click.UsageError("--to and --python are two different ways: choose one")
    done: dict[Path, str] = {}
    if not python:
        target = (to or plugin_folder()) / _NAME
        with _writing(target):
            done[target] = _remove(target, MARK_PLUGIN) if remove else _install(target, copy=to is not None)
    if not to:
        done.update(_in_environment(environment(python or Path(sys.executable)), remove, told=bool(python)))
    if as_json:
        [path, *_] = done
        say_json(
            {"path": str(path), "done": done[path], "all": {str(one): what for one, what in done.items()}}
        )
        return 0
    say("\n".join(f"{what}: {path}" for path, what in done.items()))
    if not (remove or to or python):
        say('Try it: apprise -b "Merhaba" "wbox://YOUR_KEY/905551234567"')
    return 0


def _in_environment(there: Environment, remove: bool, *, told: bool) -> dict[Path, str]:
    """Return what was done in an environment.

    This user may not be allowed to write into our own, and few need it there: that is no error.
    """
    try:
        with _writing(there.link):
            if remove:
                return {there.link: there.remove()}
            there.check()
            return {there.link: there.install()}
    except WboxError as error:
        if told:
            raise
        return {there.link: f"not written ({error})"}


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "use an account that may write there, or another folder with --to"
        raise WboxError(f"{target}: {error.strerror}", hint=hint) from error


@command.command("service")
@click.option("--system", "place", flag_value="system", help="For the whole machine; what root gets.")
@click.option("--user", "place", flag_value="user", help="For your own user.")
@click.option("--key", type=click.Path(path_type=Path), help="The file with the API key.")
@click.option("--to", type=click.Path(path_type=Path), help="Write the unit into this folder.")
@click.option("--print", "on_screen", is_flag=True, help="Print the unit and write nothing.")
@click.option("--remove", is_flag=True, help="Take the unit away again.")
@json_option
@click.pass_obj
def service(config: Path | None, /, *, place: str | None, **asked: Any) -> int:
    """Write a systemd unit that runs the daemon for this project folder.

    It may read what the rules watch and write its own state, and little else. Write it again when rules
    watch other folders.
    """
    system = place == "system" or (place is None and os.geteuid() == 0)
    target = (asked["to"] or unit_folder(system=system)) / _UNIT
    if asked["remove"]:
        done, steps = _taken_away(target), _after_removal(system=system)
    else:
        project = sound(open_project(config))
        said = read(project.settings.folder, os.environ).document.value or {}
        made = unit(project, said, system=system, key=asked["key"])
        if asked["on_screen"]:
            say(made.text())
            return 0
        done, steps = _written(target, made.text()), _after_installing(made)
    if asked["as_json"]:
        say_json({"path": str(target), "done": done, "next": steps})
    else:
        say(f"{done}: {target}")
        say("\n".join(("Next:", *(f"  {printable(step)}" for step in steps))))
    return 0


def unit_folder(*, system: bool) -> Path:
    """Return the folder that systemd reads an administrator's, or this user's, units from."""
    return Path("/etc/systemd/system") if system else Path.home() / ".config" / "systemd" / "user"


def _written(target: Path, text: str) -> str:
    _check_ours(target, MARK)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        hint = "use sudo, --user for your own user, or another folder with --to"
        raise WboxError(f"{target}: {error.strerror}", hint=hint) from error
    return "written"


def _taken_away(target: Path) -> str:
    try:
        return _remove(target, MARK)
    except OSError as error:
        raise WboxError(f"{target}: {error.strerror}", hint="use sudo, or --user") from error


def _after_installing(made: Unit) -> list[str]:
    """Return what is left to do, as commands where it is one."""
    sudo, control = ("sudo ", "sudo systemctl") if made.system else ("", "systemctl --user")
    missing = [path for path in made.credentials.values() if not path.exists()]
    state = "sudo WBOX_DATA_DIR=/var/lib/wbox-notify " if made.system else ""
    return [
        *(
            f"{sudo}install -D -m 600 /dev/stdin {path}    # paste it, then Ctrl-D"
            for path in map(_quoted, missing)
        ),
        *(f"let a group read {path}: the daemon runs as a user of its own" for path in made.barred()),
        *(
            f"let a group write {path} (chmod g+rwxs): a user of its own puts files away there"
            for path in made.locked()
        ),
        *(
            f"make the folder {path}, and let a group write it (chmod g+rwxs): files are put away there"
            for path in made.missing()
        ),
        *(f"give the secret `{name}` a file in wbox-notify.yaml, and install again" for name in made.lost),
        f"{control} daemon-reload",
        f"{control} enable --now wbox-notify",
        *([] if made.system else ["loginctl enable-linger    # so that it runs while you are logged out"]),
        f"{state}{_me()} -c {_quoted(made.folder)} status",
    ]


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _after_removal(*, system: bool) -> list[str]:
    control = "sudo systemctl" if system else "systemctl --user"
    return [f"{control} disable --now wbox-notify", f"{control} daemon-reload"]


def _me() -> str:
    """Return how this command is called."""
    return shutil.which("wbox-notify") or f"{sys.executable} -m wbox_notify"


def plugin_folder() -> Path:
    """Return the folder of this user that the apprise command loads plugins from."""
    if sys.platform == "win32":
        return Path(os.environ["APPDATA"]) / "Apprise" / "plugins"
    return Path.home() / ".config" / "apprise" / "plugins"


def _install(target: Path, *, copy: bool) -> str:
    _check_ours(target, MARK_PLUGIN)
    spec = importlib.util.find_spec("wbox_notify.apprise_plugin")
    if spec is None or spec.origin is None:
        raise WboxError("the provider is not part of this installation", hint="install wbox-notify again")
    target.parent.mkdir(parents=True, exist_ok=True)
    if copy:
        shutil.copyfile(spec.origin, target)
        return "copied"
    # Run by its path: the apprise command may live in an environment that has no wbox_notify.
    path = repr(spec.origin)
    line = f'exec(compile(open({path}, encoding="utf-8").read(), {path}, "exec"))  {MARK_PLUGIN}\n'
    target.write_text(line, encoding="utf-8")
    return "installed"


def _remove(target: Path, mark: str) -> str:
    _check_ours(target, mark)
    existed = target.exists()
    target.unlink(missing_ok=True)
    return "removed" if existed else "not there"


def _check_ours(target: Path, mark: str) -> None:
    """Refuse to touch a file that somebody else has written."""
    if not target.exists():
        return
    text = target.read_text(encoding="utf-8", errors="replace")
    if mark not in text and "class NotifyWbox(" not in text:
        raise WboxError(f"{target} is not ours", hint="move it away first")
