"""Reading: what one look at a project folder found, for the next one."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Document, Location
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.rules.models.triggers import WebhookSpec
from wbox_notify.rules.rule import Rule


class Ground(NamedTuple):
    """What the rules of all files are built on; while it stays, only files that change are built again.

    Attributes:
        settings: The settings, with the declared secrets.
        people: The sections about people of all files, by file and name.
        templates: The files of templates, with what shows that they have changed.
    """

    settings: Settings
    people: Mapping[tuple[str, str], Any]
    templates: frozenset[tuple[str, int, int, int, int]]


class Built(NamedTuple):
    """What became of one file.

    Attributes:
        document: The file.
        rules: Its right rules.
        problems: The mistakes in it, but for those that the comparison with other files shows.
        ids: The ids of its rules.
        hooks: The webhooks that it names.
        outlets: The Apprise URLs that it names and the settings do not.
        secrets: The secrets that it names and the settings do not.
    """

    document: Document
    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]
    ids: tuple[tuple[str, Location], ...]
    hooks: tuple[tuple[WebhookSpec, Location], ...]
    outlets: Mapping[str, str]
    secrets: Mapping[str, str]


class Reading(NamedTuple):
    """One reading of a project folder: the ground, and what became of each file, by its name."""

    ground: Ground
    files: Mapping[str, Built]
