"""Options that take a time: how far to look back, and up to when."""

import os
import time
from collections.abc import Callable
from datetime import tzinfo
from typing import Any

import click

from wbox_notify.cli.project import folder
from wbox_notify.config import reading
from wbox_notify.config.values import parse_duration, parse_moment
from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import problem_with_hint, spoken


class _Time(click.ParamType[float]):
    """A time as seconds since the epoch: a duration before now, or a date with or without a time of day."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the time; a date without a zone is one of the project's."""
        if isinstance(value, float):
            return value
        try:
            return parse_moment(value, time.time(), _zone)
        except ConfigError as error:
            self.fail(problem_with_hint(error).to(spoken.get()), param, ctx)


class Duration(click.ParamType[float]):
    """A duration in seconds; ``off`` is 0."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        try:
            return 0.0 if value == "off" else parse_duration(value)
        except ConfigError as error:
            self.fail(problem_with_hint(error).to(spoken.get()), param, ctx)


def _zone() -> tzinfo:
    """Return the zone of the project."""
    return reading.read(folder(click.get_current_context().obj), os.environ).settings.tz


def since_option(default: str | None) -> Callable[..., Any]:
    """Return the option ``--since``."""
    text = "The oldest: 2h or 7d before now, or a date like 2026-11-29T09:00, in the zone of the project."
    return click.option("--since", type=_Time(), default=default, show_default=default is not None, help=text)


until_option = click.option("--until", type=_Time(), help="The newest, written in the same way.")
