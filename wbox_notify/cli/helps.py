"""The help of the commands in the language of the person at the terminal."""

from collections.abc import Iterator
from copy import copy

import click

from wbox_notify.model.texts import spoken, translation


def translated(command: click.Command) -> click.Command:
    """Return a command with all its help in the language of a person."""
    command = copy(command)
    command.params = [copy(parameter) for parameter in command.params]
    if isinstance(command, click.Group):
        command.commands = {name: translated(each) for name, each in command.commands.items()}
    command.epilog = said(command.epilog or "")
    for part in _parts(command):
        part.help = said(part.help or "")
    return command


def said(text: str) -> str:
    """Return a help in the language of a person."""
    return translation(spoken.get()).gettext(_unwrapped(text)) if text else ""


def helps(command: click.Command) -> Iterator[str]:
    """Yield the texts of a command, as the catalogues have them."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from helps(each)
    yield _unwrapped(command.epilog or "")
    for part in _parts(command):
        yield _unwrapped(part.help or "")


def _parts(command: click.Command) -> Iterator[click.Command | click.Option]:
    yield command
    yield from (parameter for parameter in command.params if isinstance(parameter, click.Option))


def _unwrapped(text: str) -> str:
    """Return a help with each paragraph on a line of its own, whatever the width of the code is."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
