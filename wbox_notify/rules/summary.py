"""Summary: a rule in one line, and its parts in words."""

from wbox_notify.rules.recipients import Contact, OnCall
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, Trigger, WebhookTrigger
from wbox_notify.templates import Template


def summary(rule: Rule) -> str:
    """Return a rule in one line, such as ``file /srv/invoices *.pdf -> text to 1 number``."""
    recipients = []
    numbers = sum(isinstance(recipient, Contact) for recipient in rule.to)
    if numbers == 1:
        recipients.append("1 number")
    elif numbers:
        recipients.append(f"{numbers} numbers")
    for recipient in rule.to:
        if isinstance(recipient, OnCall):
            recipients.append(recipient.name)
        elif isinstance(recipient, Template):
            recipients.append(recipient.source.strip())
    recipients += [outlet.name for outlet in rule.via]
    kinds = ", ".join(draft.kind for draft in rule.send)
    triggers = " or ".join(f"{kind} {which}" for kind, which in map(words, rule.triggers))
    return f"{triggers} -> {kinds} to {', '.join(recipients)}"


def words(trigger: Trigger) -> tuple[str, str]:
    """Return what kind of trigger one is, and which."""
    if isinstance(trigger, FileTrigger):
        return "file", f"{trigger.root} {', '.join(trigger.match)}"
    if isinstance(trigger, WebhookTrigger):
        notes = trigger.scheme.notes if trigger.scheme else ("open",)
        return "webhook", f"/hook/{trigger.path} ({', '.join(notes)})".removesuffix(" ()")
    if isinstance(trigger, MissingTrigger):
        return "missing", f"{' '.join(words(trigger.of))} (deadline: {trigger.by.describe()})"
    return "schedule", trigger.schedule.describe()
