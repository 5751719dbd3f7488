"""Verdict: which rule says where a file goes, and where."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import NamedTuple

from wbox_notify.config.values import as_path
from wbox_notify.engine.item import context, items_of
from wbox_notify.errors import WboxError
from wbox_notify.model.deliveries import Decision
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState
from wbox_notify.rules import Project, Rule
from wbox_notify.rules.triggers import FileTrigger, Target
from wbox_notify.store.file_versions import Final
from wbox_notify.templates import Template

_DEDUPE = "dedupe"


class Destination(NamedTuple):
    """What becomes of a file, as ``rule`` says; ``target`` is where it goes."""

    fate: FileState
    rule: Rule
    trigger: FileTrigger
    target: Target


def follows(project: Project, event: Event) -> bool:
    """Return whether some rule says where the file of an event goes."""
    return any(
        any(trigger.targets)
        for rule in project.rules_for(event)
        for trigger in rule.triggers
        if isinstance(trigger, FileTrigger)
    )


def verdict(project: Project, final: Final) -> Destination | None:
    """Return what becomes of a file; None where no rule that wanted it says so, and it stays.

    It is done when all messages of all rules were accepted, and has failed when one of them finally was not.
    A rule whose ``if`` said no does not count. It is a duplicate where no rule found anything new in it.
    """
    rules = project.rules_for(final.event)
    by_rule = {rule.id: [one for one in final.decisions if one.rule == rule.id] for rule in rules}
    wanted = [rule for rule in rules if _wanted(by_rule[rule.id])]
    if final.failures or any(one.outcome == "failed" for one in final.decisions):
        return _first(FileState.FAILED, wanted, final.event)
    if wanted:
        return _first(FileState.DONE, wanted, final.event)
    known = [rule for rule in rules if any(one.stage == _DEDUPE for one in by_rule[rule.id])]
    return _first(FileState.DUPLICATE, known, final.event)


def folder(project: Project, chosen: Destination, template: Template, event: Event) -> str:
    """Return the folder that a file goes to, absolute; ``now`` is when the file was taken, in it.

    Raises:
        WboxError: the template fails, or leads out of where it begins or to what is the daemon's own.
    """
    rule = replace(chosen.rule, needs=frozenset())  # what is in the file has no say in it
    (item,) = items_of(rule, event)
    text = template.render(context(project, rule, item, event.at))
    if not text.strip("/ ") or _climbs(text) > _climbs(template.source.partition("{")[0]):
        raise WboxError(f"{text!r} is not a folder for {event.data['name']!r}")
    target = str(as_path(text, chosen.trigger.root))
    if part := project.settings.own.closed_at(target):
        raise WboxError(f"{target!r} belongs to the daemon ({part.what}), so nothing is put there")
    return target


def _climbs(path: str) -> int:
    """Return how often a path goes up: only what a rule begins with may, and nothing that is filled in."""
    return PurePath(path).parts.count("..")


def _wanted(decisions: Sequence[Decision]) -> bool:
    """Return whether a rule went on after `if` and `dedupe`; one that decided nothing had an empty list."""
    further = any(one.outcome != "stopped" or one.stage not in {"if", _DEDUPE} for one in decisions)
    return further or not decisions


def _first(fate: FileState, rules: Sequence[Rule], event: Event) -> Destination | None:
    """Return what the first rule says that says anything about such a file."""
    for rule in rules:
        for trigger in rule.triggers:
            if isinstance(trigger, FileTrigger) and trigger.takes(event.data):
                target = {FileState.DONE: trigger.done, FileState.FAILED: trigger.failed}.get(
                    fate, trigger.duplicate
                )
                if target is not None:
                    return Destination(fate, rule, trigger, target)
    return None
