"""Summary: a rule in one line, and its parts in words."""

from wbox_notify.model.text import COMMA, OR, joined
from wbox_notify.model.texts import Wording, worded
from wbox_notify.rules.recipients import Contact, OnCall
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, Trigger, WebhookTrigger
from wbox_notify.templates import Template


def summary(rule: Rule) -> Wording:
    """Return a rule in one line, such as ``file /srv/invoices *.pdf -> text to 1 number``."""
    recipients: list[str] = []
    numbers = sum(isinstance(recipient, Contact) for recipient in rule.to)
    if numbers == 1:
        recipients.append(Wording("1 number"))
    elif numbers:
        recipients.append(Wording("{number} numbers", number=numbers))
    for recipient in rule.to:
        if isinstance(recipient, OnCall):
            recipients.append(recipient.name)
        elif isinstance(recipient, Template):
            recipients.append(recipient.source.strip())
    recipients += [outlet.name for outlet in rule.via]
    return Wording(
        "{triggers} -> {kinds} to {recipients}",
        triggers=joined(map(_named, rule.triggers), OR),
        kinds=", ".join(draft.kind for draft in rule.send),
        recipients=joined(recipients, COMMA),
    )


def words(trigger: Trigger) -> tuple[str, Wording]:
    """Return what kind of trigger one is, and which."""
    if isinstance(trigger, FileTrigger):
        return "file", Wording("{root} {match}", root=trigger.root, match=", ".join(trigger.match))
    if isinstance(trigger, WebhookTrigger):
        notes = trigger.scheme.notes if trigger.scheme else (Wording("open"),)
        if not notes:
            return "webhook", Wording("/hook/{path}", path=trigger.path)
        return "webhook", Wording("/hook/{path} ({notes})", path=trigger.path, notes=joined(notes, COMMA))
    if isinstance(trigger, MissingTrigger):
        times = trigger.by.describe()
        return "missing", Wording("{trigger} (deadline: {times})", trigger=_named(trigger.of), times=times)
    return "schedule", worded(trigger.schedule.describe())


def _named(trigger: Trigger) -> Wording:
    kind, which = words(trigger)
    return Wording("{kind} {which}", kind=kind, which=which)
