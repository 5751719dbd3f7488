"""``wbox-notify console``."""

import os
import sys
import webbrowser
from html import escape
from pathlib import Path

import click

from wbox_notify.cli.output import say
from wbox_notify.cli.project import Remote, UnreachableError, daemon_answers, open_without_rules, usable
from wbox_notify.config import private
from wbox_notify.config.own import CONSOLE_PASSWORD
from wbox_notify.config.passwords import LEAST, hashed
from wbox_notify.errors import WboxError
from wbox_notify.model.texts import Wording, _

_PAGE = "console.html"


@click.command("console")
@click.option("--open", "opens", is_flag=True, help="Open it in a browser of this machine.")
@click.option("--set-password", is_flag=True, help="Set the password for those who come from elsewhere.")
@click.pass_obj
def console(config: Path | None, opens: bool, set_password: bool) -> int:
    """Print a link to the pages of the running daemon, which logs in one browser, once and for 15 minutes.

    Without a password the pages are open on this machine only. A new password is read from the terminal, or
    else from the first line of stdin; it logs out everybody.
    """
    settings = usable(open_without_rules(config)).settings
    if set_password:
        _keep(_password(), settings.data_dir / CONSOLE_PASSWORD)
        say(_("The console has a new password. Whoever was logged in is logged out."))
        return 0
    if not daemon_answers(settings.data_dir):
        raise UnreachableError(Wording("no daemon runs here"), hint=Wording("wbox-notify run starts one"))
    link = Remote(settings.data_dir).console_link()
    say(link)
    if opens and not _opened(link, settings.data_dir / _PAGE):
        raise WboxError(Wording("there is no browser here"), hint=Wording("open the address in one"))
    return 0


def _password() -> str:
    if sys.stdin.isatty():
        password: str = click.prompt(_("New password"), hide_input=True, confirmation_prompt=_("Once more"))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < LEAST:
        problem = Wording("this password is too short: it needs {least} characters", least=LEAST)
        raise WboxError(problem, hint=Wording("take some words"))
    return password


def _keep(password: str, path: Path) -> None:
    try:
        private.write(path, hashed(password))
        if os.geteuid() == 0:  # the daemon may run as another user, who owns its folder
            owner = path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid)
    except OSError as error:
        problem = Wording("{path} cannot be written: {reason}", path=path, reason=error.strerror)
        raise WboxError(problem) from None


def _opened(link: str, page: Path) -> bool:
    """Open a browser by a page that leads on: everybody can see the arguments of a program."""
    text = f'<!doctype html><meta http-equiv="refresh" content="0; url={escape(link)}">'
    private.write(page, text.encode("utf-8"))
    return webbrowser.open(page.as_uri())
