"""Rule: triggers, conditions, flow, recipients and messages of one rule, and its tests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from wbox_notify.config.yaml.document import Location
from wbox_notify.model.deliveries import SendOptions
from wbox_notify.model.messages import KINDS, Notice, WhatsAppMessage, readable
from wbox_notify.rules.recipients import Contact, OnCall, Outlet
from wbox_notify.rules.triggers import (
    FileTrigger,
    MissingTrigger,
    ScheduleTrigger,
    Table,
    Trigger,
    WebhookTrigger,
    literal_path,
)
from wbox_notify.templates import Expression, Template
from wbox_notify.triggers.schedule.schedule import Schedule
from wbox_notify.triggers.schedule.windows import Window

ForEach = tuple[str, Expression]
"""The name of an item, and the expression that gives the list of them."""


@dataclass(frozen=True, slots=True)
class Status:
    """When a trouble is on, and when it is over (None: when it is not on), for each value of ``key``."""

    firing: Expression
    resolved: Expression | None = None
    key: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Dedupe:
    """The key of equal events, and for how many seconds it counts (None: for ever)."""

    key: tuple[Expression, ...]
    keep: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttle:
    """At most ``most`` in ``per`` seconds for each value of ``key``."""

    most: int
    per: float
    key: tuple[Expression, ...] = ()
    overflow: Literal["summarize", "queue", "drop"] = "summarize"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One message for events that belong together, in the words of Alertmanager; times are seconds.

    Attributes:
        by: Expressions with the same values in all events of a group; one group where there are none.
        wait: From the first event to the first message.
        interval: From one message to the next one with news.
        repeat: From one message to the next one without news; None: never.
        resolved: Whether to send a message when all is resolved.
    """

    by: tuple[Expression, ...]
    wait: float
    interval: float
    repeat: float | None
    resolved: bool


@dataclass(frozen=True, slots=True)
class Digest:
    """All events up to each nominal time in one message for each recipient."""

    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """Messages some time before or after a date.

    Attributes:
        at: The date.
        offsets: The seconds from the date to each message, negative before it, in order.
        key: Expressions that stay the same when the date changes.
        unless: What cancels the messages.
    """

    at: Template
    offsets: tuple[float, ...]
    key: tuple[Expression, ...]
    unless: Expression | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """A time without messages; ``hold`` sends afterwards what is still true, ``drop`` never does."""

    window: Window
    unless: Expression | None = None
    then: Literal["hold", "drop"] = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an escalation, ``after`` seconds; ``unless`` sees ``acked``, ``resolved`` and ``sent``.

    ``via`` and ``translations`` are as in a rule, and so is ``send`` where the step has none of its own.
    ``number`` is its place in the file, and ``at_any_hour`` says that no quiet hours hold it.
    """

    number: int
    after: float
    unless: Expression | None = None
    condition: Expression | None = None
    to: tuple[Contact | OnCall | Template, ...] = ()
    via: tuple[Outlet, ...] = ()
    send: tuple["Draft", ...]
    translations: "Translations" = field(default_factory=dict, repr=False)
    at_any_hour: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One input of a rule test, ``at`` a moment or ``after`` seconds from the one before.

    Attributes:
        kind: ``file``, ``webhook``, ``schedule``, ``missing``, ``ack`` or ``wait``.
        api_down: Whether wbox refuses all messages from this input on.
        data: As the rule file has it: a file's facts, a call's ``body``, ``headers`` and ``query``; only what
            is given, JSON values only.
    """

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    after: float = 0.0
    api_down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """A test of a rule: inputs and expected messages.

    Attributes:
        when: The inputs, in order.
        expect: The messages, in order, as the rule file has them (a kind with its fields, each a text or
            ``{contains: …}``); ``to`` is as in a rule, ``via`` the name of an outlet, ``at`` a
            moment with its time zone.
        skipped: The stage that stopped it, such as ``if[1]``, ``dedupe`` or ``holiday``.
        until: Seconds that the clock runs after the last input.
        next_runs_from: The time after which ``next_runs`` are the next times of the schedule.
    """

    name: str
    when: tuple[Given, ...] = ()
    expect: tuple[Mapping[str, Any], ...] = ()
    skipped: str | None = None
    until: float = 86400.0
    next_runs_from: datetime | None = None
    next_runs: tuple[datetime, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before it is filled in; ``fields`` are the templates of its fields."""

    kind: str
    fields: Mapping[str, Template | tuple[Template, ...]]
    device: int | None = None

    def templates(self) -> Iterator[Template]:
        """Yield all templates of the message."""
        for template in self.fields.values():
            if isinstance(template, tuple):
                yield from template
            else:
                yield template

    def build(self, context: Mapping[str, Any], phone: str) -> WhatsAppMessage:
        """Return the message for an event.

        Raises:
            TemplateError: a template fails.
            MessageError: the message cannot be sent.
        """
        return KINDS[self.kind](phone=phone, device_id=self.device, **self._filled(context))

    def notice(self, context: Mapping[str, Any], outlet: str) -> Notice:
        """Return the message as a text for an outlet; raises the same."""
        text = readable(self.kind, self._filled(context))
        return Notice(outlet=outlet, text=text, title=context["rule"]["name"])

    def file_path(self, folder: Path) -> Path | None:
        """Return the file, or the folder of it, that the draft itself names, if any."""
        file = self.fields.get("file")
        if not isinstance(file, Template):
            return None
        return literal_path(file, folder)

    def _filled(self, context: Mapping[str, Any]) -> dict[str, Any]:
        filled: dict[str, Any] = {}
        for name, template in self.fields.items():
            if isinstance(template, tuple):
                filled[name] = tuple(part.render(context) for part in template)
            else:
                filled[name] = template.render(context)
        return filled


Translations = Mapping[tuple[str, str], tuple[Draft, ...]]
"""The same messages for readers with a zone or language of their own, by zone and language."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """A rule that is ready to run.

    Attributes:
        triggers: The events that start it, any of them.
        for_each: The name of one item, and the expression that gives a list of them.
        reads: The field of a file that is read row by row instead: ``rows``, ``lines`` or ``events``.
        table: The file that is read so, where no trigger tells of it.
        conditions: Expressions that must all hold.
        status: Whether something is in trouble, where the sender does not say so.
        to: Contacts, on-call rotations, and templates that name some.
        via: The outlets that get the same.
        fallback: The names of the outlets for messages that wbox refuses.
        send: The messages for each recipient, in order.
        translations: The same for readers with a zone or language of their own.
        at_any_hour: Whether no quiet hours hold its messages, also not those of a person.
        terms: How to send the messages.
        columns: The columns of a table that it uses; none where it may use any.
        needs: The facts of a file to read: ``sha256``, ``text``, ``json`` (never without ``text``).
        headers: The headers of a call that it may use, in lower case.
        unseen: The names of a call (``body``, ``headers``, ``query``) that at most ``for_each`` uses.
        has_links: Whether it uses ``ack_url``.
        file: The rule file; the rule begins at ``line``.
        location: The place in the file, for problems that are found later.
    """

    id: str
    name: str
    triggers: tuple[Trigger, ...]
    for_each: ForEach | None = None
    reads: str | None = None
    table: Table | None = None
    conditions: tuple[Expression, ...] = ()
    status: Status | None = None
    remind: Remind | None = None
    dedupe: Dedupe | None = None
    throttle: Throttle | None = None
    group: Group | None = None
    digest: Digest | None = None
    quiet_hours: QuietHours | None = None
    at_any_hour: bool = False
    to: tuple[Contact | OnCall | Template, ...] = ()
    via: tuple[Outlet, ...] = ()
    send: tuple[Draft, ...]
    translations: Translations = field(default_factory=dict, repr=False)
    escalate: tuple[Step, ...] = ()
    fallback: tuple[str, ...] = ()
    terms: SendOptions = SendOptions()
    tests: tuple[RuleTest, ...] = ()
    columns: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    has_links: bool = False
    file: str
    line: int
    location: Location = field(repr=False, compare=False)

    def trigger_of(self, path: str) -> FileTrigger | None:
        """Return the trigger that accepts a file."""
        for trigger in self.triggers:
            if isinstance(trigger, FileTrigger) and trigger.accepts(path):
                return trigger
        return None

    def roots(self, folder: Path) -> Iterator[Path]:
        """Yield the folders (or files) that the rule may take files from; ``folder`` is that of the project.

        What is filled into a path comes from outside: only what is written before it is the rule's own word.
        """
        for source in self.sources():
            if isinstance(source, FileTrigger):
                yield source.root
        for send in (self.send, *(step.send for step in self.escalate)):
            yield from filter(None, (draft.file_path(folder) for draft in send))

    def sources(self) -> Iterator[FileTrigger | WebhookTrigger]:
        """Yield the folders and hooks of the rule, also those of missing files and calls."""
        for trigger in self.triggers:
            source = trigger.of if isinstance(trigger, MissingTrigger) else trigger
            if not isinstance(source, ScheduleTrigger):
                yield source

    def hooks(self) -> Iterator[WebhookTrigger]:
        """Yield the hooks that this rule follows, or whose calls it awaits."""
        return (source for source in self.sources() if isinstance(source, WebhookTrigger))
