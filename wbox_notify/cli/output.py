"""Output of the commands: lines for people, JSON for programs, errors on stderr."""

import json
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime, tzinfo
from typing import Any, TypeVar

import click

from wbox_notify.model.redaction import redacted
from wbox_notify.model.text import printable
from wbox_notify.model.texts import _, spoken, translated

F = TypeVar("F", bound=Callable[..., Any])

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

zone: ContextVar[tzinfo | None] = ContextVar("zone", default=None)
"""The zone of the times that people read: that of the project once it is open, before that the machine's."""

json_option: Callable[[F], F] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def say(text: str = "") -> None:
    """Print a line for a person."""
    click.echo(text)


def say_json(value: Any) -> None:
    """Print one JSON document on a line."""
    click.echo(in_json(value).encode("utf-8", "backslashreplace"))


def in_json(value: Any) -> str:
    """Return JSON without the characters that change the direction of text on a screen."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def confirm(question: str, refusal: str) -> None:
    """Ask before something is done; without a terminal it is refused."""
    if not sys.stdin.isatty():
        raise click.UsageError(refusal)
    click.confirm(question, abort=True, err=True)


def fail(problem: str, hint: str | None, code: int, *, as_json: bool) -> int:
    """Print an error on stderr and return the exit code; ``hint`` is what to do about it."""
    if as_json:
        problem, hint = redacted(problem), hint and redacted(hint)
        click.echo(in_json({"type": "error", "exit": code, "message": problem, "hint": hint}), err=True)
        return code
    click.echo(click.style(_("error:"), fg="red", bold=True) + f" {_shown(problem)}", err=True)
    if hint:
        click.echo("  " + click.style(_("help:"), fg="cyan") + f" {_shown(hint)}", err=True)
    return code


def _shown(text: str) -> str:
    return printable(redacted(translated(text, spoken.get())))


def clock(seconds: float) -> str:
    """Return a time of day in the zone of the project: ``09:04:02``."""
    return datetime.fromtimestamp(seconds, zone.get()).strftime("%H:%M:%S")


def moment(seconds: float) -> str:
    """Return a time with its day in the zone of the project: ``2026-11-29 09:04:02``."""
    return datetime.fromtimestamp(seconds, zone.get()).strftime("%Y-%m-%d %H:%M:%S")


def lasted(seconds: float) -> str:
    """Return a duration for a person: ``9 ms``, ``4.2 s``, ``3 min``, ``2 h``."""
    if seconds < 1:
        return _("{number} ms", number=round(seconds * 1000))
    for size, text in ((86400, _("{number} d")), (3600, _("{number} h")), (60, _("{number} min"))):
        if seconds >= size:
            return text.format(number=round(seconds / size))
    whole, _point, tenth = f"{seconds:.1f}".partition(".")
    return _("{whole}.{tenth} s", whole=whole, tenth=tenth)
