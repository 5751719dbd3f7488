"""Burst: many files that come together are one message with their number and their names."""

from dataclasses import replace

from wbox_notify.engine import quiet
from wbox_notify.engine.item import Item
from wbox_notify.engine.notification import about
from wbox_notify.engine.rule_run import RuleRun, text_to
from wbox_notify.engine.state import BurstState, Names, Notification
from wbox_notify.model.texts import Wording
from wbox_notify.rules.recipients import Reader

_NAMED = 10
_FILES = Wording("{number} files for “{rule}”: {names}")
_MORE = Wording("… and {more} more")


def passes(run: RuleRun, item: Item) -> bool:
    """Return whether an item is followed at once; a file may wait for those that come with it."""
    if item.type != "file":
        return True
    trigger = run.rule.trigger_of(item.data["file"]["path"])
    if trigger is None or trigger.burst is None:
        return True
    folder, how = str(trigger.root), trigger.burst
    state = run.recall(BurstState, folder)
    if state is None:
        state = BurstState(event_id=item.event_id, due=run.time + how.within)
    readers = {**state.readers}
    for reader in run.readers(about(run, Notification.of(item))):
        files = readers.get(reader.address, Names())
        names = files.names
        if len(names) < _NAMED:
            names = (*names, item.data["file"]["name"])
        readers[reader.address] = Names(files.number + 1, names)
    number, items = state.number + 1, state.items
    if number <= how.over:
        items = (*items, item)
    state = replace(state, number=number, items=items, readers=readers)
    run.remember(folder, state, state.due)
    run.decide(
        BurstState.KIND, "waits", Wording("number {number} of the files that come together", number=number)
    )
    return False


def wake(run: RuleRun, key: str) -> tuple[Item, ...]:
    """Return the files that are few enough to be followed one by one; tell of more in one message."""
    state = run.recall(BurstState, key)
    run.forget(BurstState, key)
    if state is None:
        return ()
    if state.number <= len(state.items):
        return state.items
    for address, names in state.readers.items():
        _tell(run, run.project.reader(address), state.event_id, names)
    return ()


def _tell(run: RuleRun, reader: Reader, event_id: str, names: Names) -> None:
    """Tell a reader of many files, after the quiet hours that are now, if any."""
    end = quiet.until(run, reader)
    if end is None:
        text = _text(reader.lang or run.project.settings.lang, run.rule.name, names)
        run.say(text_to(reader, text, run.rule.name), f"{event_id}:{BurstState.KIND}", "0")
        detail = Wording(
            "one message to {reader} for {number} files", reader=reader.name, number=names.number
        )
        run.decide(BurstState.KIND, "passed", detail)
    elif quiet.drops(run):
        quiet.drop(run, reader, end)
    else:
        alone = BurstState(
            event_id=event_id,
            number=names.number,
            readers={reader.address: names},
            due=end.timestamp(),
        )
        run.remember(f"{event_id} {reader.address}", alone, alone.due)
        quiet.wait(run, reader, end)


def _text(lang: str, rule: str, names: Names) -> str:
    text = _FILES.about(number=names.number, rule=rule, names=", ".join(names.names)).to(lang)
    more = names.number - len(names.names)
    if more:
        text += " " + _MORE.about(more=more).to(lang)
    return text
