"""Burst: many files that come together are one message with their number and their names."""

from collections.abc import Mapping
from typing import Any

from wbox_notify.engine import quiet_hours
from wbox_notify.engine.item import Subject
from wbox_notify.engine.notification import about, single
from wbox_notify.engine.rule_run import RuleRun, text_to
from wbox_notify.rules.recipients import Reader
from wbox_notify.rules.triggers import Burst

KIND = "burst"

_NAMED = 10
_WORDS: Mapping[str, tuple[str, str]] = {
    "en": ("{number} files for “{rule}”: {names}", " … and {more} more"),
    "tr": ("“{rule}” için {number} dosya geldi: {names}", " … ve {more} dosya daha"),
}


def add(turn: RuleRun, how: Burst, folder: str, subject: Subject) -> None:
    """Let a file wait for those that come with it into the same folder."""
    empty = {"event_id": subject.event_id, "number": 0, "subjects": [], "readers": {}}
    kept = turn.recall(KIND, folder) or {**empty, "due": turn.time + how.within}
    kept["number"] += 1
    if kept["number"] <= how.over:
        kept["subjects"].append(subject.dump())
    for reader in turn.readers(about(turn, single(subject))):
        told = kept["readers"].setdefault(reader.address, {"number": 0, "names": []})
        told["number"] += 1
        if len(told["names"]) < _NAMED:
            told["names"].append(subject.data["file"]["name"])
    turn.remember(KIND, folder, kept, kept["due"])
    turn.decide(KIND, "waits", f"number {kept['number']} of the files that come together")


def wake(turn: RuleRun, key: str) -> list[Subject]:
    """Return the files that are few enough to be followed one by one; tell of more in one message."""
    kept = turn.recall(KIND, key)
    turn.forget(KIND, key)
    if kept is None:
        return []
    if kept["number"] <= len(kept["subjects"]):
        return [Subject(**subject) for subject in kept["subjects"]]
    for address, told in kept["readers"].items():
        _tell(turn, turn.project.reader(address), {**told, "event_id": kept["event_id"]})
    return []


def _tell(turn: RuleRun, reader: Reader, told: Mapping[str, Any]) -> None:
    """Tell a reader of many files, after the quiet hours that are now, if any."""
    end, hours = quiet_hours.ends(turn, reader), turn.rule.quiet_hours
    if end and hours and hours.then == "drop":
        turn.decide(quiet_hours.KIND, "stopped", f"dropped: quiet hours of {reader.name} until {end:%H:%M}")
    elif end:
        alone = {**told, "subjects": [], "readers": {reader.address: told}}
        turn.remember(KIND, f"{told['event_id']} {reader.address}", alone, end.timestamp())
        turn.decide(quiet_hours.KIND, "waits", f"{reader.name} is not disturbed before {end:%H:%M}")
    else:
        text = _words(reader.lang or turn.project.settings.lang, turn.rule.name, told)
        turn.say(text_to(reader, text, turn.rule.name), f"{told['event_id']}:{KIND}", "0")
        turn.decide(KIND, "passed", f"told {reader.name} of {told['number']} files in one message")


def _words(lang: str, rule: str, told: Mapping[str, Any]) -> str:
    whole, rest = _WORDS.get(lang, _WORDS["en"])
    names, more = ", ".join(told["names"]), told["number"] - len(told["names"])
    return whole.format(number=told["number"], rule=rule, names=names) + (
        rest.format(more=more) if more else ""
    )
