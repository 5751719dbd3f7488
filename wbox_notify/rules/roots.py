"""Roots: the folders that a rule may take files from: those that it watches, and those that it names."""

from collections.abc import Iterator
from pathlib import Path

from wbox_notify.config.values import as_path
from wbox_notify.errors import ConfigError
from wbox_notify.rules.rule import Draft, FileTrigger, Rule
from wbox_notify.templates import Template


def roots(rule: Rule, folder: Path) -> Iterator[Path]:
    """Yield the folders (or files) that a rule may take files from; ``folder`` is that of the project.

    What is filled into a path comes from outside: only what is written before it is the rule's own word.
    """
    for source in rule.sources():
        if isinstance(source, FileTrigger):
            yield source.root
    for drafts in (rule.send, *(step.send for step in rule.escalate)):
        for draft in drafts:
            if found := named(draft, folder):
                yield found


def named(draft: Draft, folder: Path) -> Path | None:
    """Return the folder (or the file) that a draft names itself as the place of what it sends, if any."""
    file = draft.fields.get("file")
    place = written(file.source) if isinstance(file, Template) else ""
    try:
        return as_path(place, folder) if place else None
    except ConfigError:
        return None


def written(source: str) -> str:
    """Return a whole path, or the folder that one begins with; nothing where it begins with a template."""
    return source.partition("{")[0].rpartition("/")[0] if "{" in source else source.strip()
