"""``wbox-notify install apprise``."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import click

from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.errors import WboxError

_NAME = "wbox.py"
_MARK = "# written by wbox-notify install apprise"


@click.command("install")
@click.argument("what", type=click.Choice(["apprise"]))
@click.option("--to", type=click.Path(path_type=Path), help="Copy the whole plugin into this folder.")
@click.option("--remove", is_flag=True, help="Take it away again.")
@json_option
def command(what: str, to: Path | None, remove: bool, as_json: bool) -> int:
    """Make wbox:// known to the apprise command, whichever way that was installed.

    Writes one line into your Apprise plugin folder, which loads the provider from here. With --to the
    provider itself is copied, for a container or another machine.
    """
    del what
    target = (to or plugin_folder()) / _NAME
    try:
        done = _remove(target) if remove else _install(target, copy=to is not None)
    except OSError as error:
        raise WboxError(f"{target}: {error.strerror}", hint="choose another folder with --to") from error
    if as_json:
        say_json({"path": str(target), "done": done})
    else:
        say(f"{done}: {target}")
        if not remove and to is None:
            say('Try it: apprise -b "Merhaba" "wbox://YOUR_KEY/905551234567"')
    return 0


def plugin_folder() -> Path:
    """Return the folder of this user that the apprise command loads plugins from."""
    if sys.platform == "win32":
        return Path(os.environ["APPDATA"]) / "Apprise" / "plugins"
    return Path.home() / ".config" / "apprise" / "plugins"


def _install(target: Path, *, copy: bool) -> str:
    _check_ours(target)
    spec = importlib.util.find_spec("wbox_notify.apprise_plugin")
    if spec is None or spec.origin is None:
        raise WboxError("the provider is not part of this installation", hint="install wbox-notify again")
    target.parent.mkdir(parents=True, exist_ok=True)
    if copy:
        shutil.copyfile(spec.origin, target)
        return "copied"
    # Run by its path: the apprise command may live in an environment that has no wbox_notify.
    path = repr(spec.origin)
    line = f'exec(compile(open({path}, encoding="utf-8").read(), {path}, "exec"))  {_MARK}\n'
    target.write_text(line, encoding="utf-8")
    return "installed"


def _remove(target: Path) -> str:
    _check_ours(target)
    existed = target.exists()
    target.unlink(missing_ok=True)
    return "removed" if existed else "not there"


def _check_ours(target: Path) -> None:
    """Refuse to touch a file that somebody else has written."""
    if not target.exists():
        return
    text = target.read_text(encoding="utf-8", errors="replace")
    if _MARK not in text and "class NotifyWbox(" not in text:
        raise WboxError(f"{target} is not ours", hint="move it away first")
