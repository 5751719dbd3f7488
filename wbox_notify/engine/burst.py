"""Burst: many files that come together are one message with their number and their names."""

from collections.abc import Mapping
from typing import Any

from wbox_notify.engine import deliver
from wbox_notify.engine.item import Item
from wbox_notify.engine.notification import about, single
from wbox_notify.engine.rule_run import RuleRun, text_to
from wbox_notify.rules.models.triggers import Burst
from wbox_notify.rules.recipients import Reader

KIND = "burst"

_NAMED = 10
_WORDS: Mapping[str, tuple[str, str]] = {
    "en": ("{number} files for “{rule}”: {names}", " … and {more} more"),
    "tr": ("“{rule}” için {number} dosya geldi: {names}", " … ve {more} dosya daha"),
}


def add(run: RuleRun, how: Burst, folder: str, item: Item) -> None:
    """Let a file wait for those that come with it into the same folder."""
    empty = {"event_id": item.event_id, "number": 0, "subjects": [], "readers": {}}
    kept = run.recall(KIND, folder) or {**empty, "due": run.time + how.within}
    kept["number"] += 1
    if kept["number"] <= how.over:
        kept["subjects"].append(item.dump())
    for reader in run.readers(about(run, single(item))):
        told = kept["readers"].setdefault(reader.address, {"number": 0, "names": []})
        told["number"] += 1
        if len(told["names"]) < _NAMED:
            told["names"].append(item.data["file"]["name"])
    run.remember(KIND, folder, kept, kept["due"])
    run.decide(KIND, "waits", f"number {kept['number']} of the files that come together")


def wake(run: RuleRun, key: str) -> list[Item]:
    """Return the files that are few enough to be followed one by one; tell of more in one message."""
    kept = run.recall(KIND, key)
    run.forget(KIND, key)
    if kept is None:
        return []
    if kept["number"] <= len(kept["subjects"]):
        return [Item(**item) for item in kept["subjects"]]
    for address, told in kept["readers"].items():
        _tell(run, run.project.reader(address), {**told, "event_id": kept["event_id"]})
    return []


def _tell(run: RuleRun, reader: Reader, told: Mapping[str, Any]) -> None:
    """Tell a reader of many files, after the quiet hours that are now, if any."""
    end, hours = deliver.ends(run, reader), run.rule.quiet_hours
    if end and hours and hours.then == "drop":
        run.decide(deliver.QUIET_HOURS, "stopped", f"dropped: quiet hours of {reader.name} until {end:%H:%M}")
    elif end:
        alone = {**told, "subjects": [], "readers": {reader.address: told}}
        run.remember(KIND, f"{told['event_id']} {reader.address}", alone, end.timestamp())
        run.decide(deliver.QUIET_HOURS, "waits", f"{reader.name} is not disturbed before {end:%H:%M}")
    else:
        text = _words(reader.lang or run.project.settings.lang, run.rule.name, told)
        run.say(text_to(reader, text, run.rule.name), f"{told['event_id']}:{KIND}", "0")
        run.decide(KIND, "passed", f"told {reader.name} of {told['number']} files in one message")


def _words(lang: str, rule: str, told: Mapping[str, Any]) -> str:
    whole, rest = _WORDS.get(lang, _WORDS["en"])
    names, more = ", ".join(told["names"]), told["number"] - len(told["names"])
    return whole.format(number=told["number"], rule=rule, names=names) + (
        rest.format(more=more) if more else ""
    )
