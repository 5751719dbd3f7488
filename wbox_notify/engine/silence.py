"""Silence: for a while a rule tells nobody of anything but an end."""

from collections.abc import Sequence

from wbox_notify.engine import told
from wbox_notify.engine.rule_run import RuleRun
from wbox_notify.engine.state import Notification, SilenceState
from wbox_notify.model.texts import Wording
from wbox_notify.rules.recipients import Reader


def begin(run: RuleRun, until: float) -> None:
    """Be silent until a time, in seconds since the epoch; a time that has been ends a silence."""
    if until > run.time:
        run.remember("", SilenceState(), until)
        run.decide(SilenceState.KIND, "passed", Wording("silent until {until}", until=run.clock(until)))
    else:
        run.forget(SilenceState, "")
        run.decide(SilenceState.KIND, "passed", Wording("not silent any more"))


def holds(run: RuleRun, readers: Sequence[Reader], notification: Notification) -> bool:
    """Return whether a silence keeps a notification from readers; an end is told to whoever heard of it."""
    if notification.healed or not is_on(run):
        return False
    for reader in readers:
        told.note(run, reader, notification, heard=False)
    return True


def is_on(run: RuleRun) -> bool:
    """Return whether the rule is silent now, and say so."""
    if run.recall(SilenceState, "") is None:
        return False
    run.decide(SilenceState.KIND, "stopped", Wording("the rule is silent: wbox-notify silence"))
    return True
