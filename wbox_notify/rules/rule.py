"""Rule: what sets it off, what must hold, who gets which messages."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from wbox_notify.config.yaml.document import Location
from wbox_notify.errors import WboxError
from wbox_notify.model.messages import KINDS, Notice, WhatsAppMessage, readable
from wbox_notify.model.terms import SendOptions
from wbox_notify.rules.matching import Matching, Miss
from wbox_notify.rules.recipients import Contact, OnCall, Outlet
from wbox_notify.templates import Expression, Template
from wbox_notify.triggers.file.readers import Reading
from wbox_notify.triggers.schedule import Missed, Schedule
from wbox_notify.triggers.schedule.windows import Window
from wbox_notify.triggers.webhook.presets import Preset
from wbox_notify.triggers.webhook.signatures import Scheme

MARKED = re.compile(r"\{\{ *file\.(name|stem) *\}\}")
"""The name of a file in the name of another one that says that it is finished."""


Target = Template | Literal["delete"] | None
"""What becomes of a file: it is moved to a folder, deleted, or left where it is."""


@dataclass(frozen=True, slots=True)
class Burst:
    """More than ``over`` files ``within`` seconds of the first are told of in one message."""

    over: int
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrigger:
    """Sets off a rule for each finished file in a folder.

    Attributes:
        root: The folder, a plain path.
        match: Globs below the folder, of which one must match.
        ignore: Globs that hide files and folders, beside ``PASSED_OVER``.
        exact: Whether endings are told apart by their case.
        settle: Seconds that a file must rest before it is finished; None leaves it to the source.
        poll: Seconds between two listings of the folder; None leaves it to the source.
        min_size: Bytes that a file must have; a smaller one is waited for.
        ready: The name of a file that says that another is finished; ``MARKED`` stands in it for that one.
        existing: What becomes of files that are there when the rule is followed first.
        done: What becomes of a file when all its messages are accepted.
        failed: The same where one of them has finally failed.
        duplicate: The same where it was nothing new.
        read: How its rows are read.
        burst: When many files are told of in one message, if ever.

    Raises:
        ConfigError: for a bad glob.
    """

    root: Path
    match: tuple[str, ...] = ("**/*",)
    ignore: tuple[str, ...] = ()
    exact: bool = False
    settle: float | None = None
    poll: float | None = None
    min_size: int = 0
    ready: str | None = None
    existing: Literal["process", "ignore"] | None = None
    done: Target = None
    failed: Target = None
    duplicate: Target = None
    read: Reading = field(default_factory=Reading)
    burst: Burst | None = None
    _matching: Matching = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matching", Matching(self.match, self.ignore, self.exact))

    def accepts(self, path: str) -> bool:
        """Return whether a file at this absolute path sets off the rule."""
        below = self._below(path)
        return below is not None and self._matching.takes(below)

    def miss(self, path: str) -> Miss | None:
        """Return why a file at this absolute path does not set off the rule, or None if it does."""
        below = self._below(path)
        return Miss(f"it lies outside of {self.root}") if below is None else self._matching.miss(below)

    def _below(self, path: str) -> str | None:
        root = f"{str(self.root).rstrip('/')}/"
        return path.removeprefix(root) if path.startswith(root) else None

    def takes(self, file: Mapping[str, Any]) -> bool:
        """Return whether a file with these facts sets off the rule."""
        return self.accepts(file["path"]) and file.get("size", self.min_size) >= self.min_size

    def marker(self, path: str) -> str | None:
        """Return the file that must be there before the one at ``path`` is finished, if any must."""
        file = Path(path)
        return self.ready and str(file.with_name(MARKED.sub(lambda word: getattr(file, word[1]), self.ready)))

    @property
    def targets(self) -> tuple[Target, Target, Target]:
        """What becomes of a file when it is done, has failed, or is nothing new."""
        return self.done, self.failed, self.duplicate


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTrigger:
    """Sets off a rule for each call of ``/hook/PATH``.

    Attributes:
        path: The part after ``/hook/``.
        preset: What is known of the sender.
        scheme: How a call proves itself; None where ``open: true`` lets anybody in.
        id: What makes two deliveries the same, where the sender's own id does not.
    """

    path: str
    preset: Preset
    scheme: Scheme | None = None
    id: Expression | None = None

    def delivery_id(self, call: Mapping[str, Any]) -> str | None:
        """Return what ``id`` makes of a call; None where it gives nothing, so that the sender's id counts.

        Raises:
            WboxError: It fails, or gives what cannot tell one delivery from another.
        """
        value = self.id.value(call) if self.id else None
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise WboxError(f"`id` has to be a text or a number, and is {_kind(value)} here")
        return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTrigger:
    """Sets off a rule at nominal times."""

    schedule: Schedule
    missed: Missed = field(default_factory=Missed)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTrigger:
    """Sets off a rule when something did not come in time.

    Attributes:
        of: What should come.
        by: When it should have come at the latest.
        window: Seconds before that in which its coming counts.
        resolved: Whether the rule is followed once more when it comes late, with ``missing.resolved``.
    """

    of: FileTrigger | WebhookTrigger
    by: Schedule
    window: float
    resolved: bool = False


Trigger = FileTrigger | WebhookTrigger | ScheduleTrigger | MissingTrigger


@dataclass(frozen=True, slots=True)
class Dedupe:
    """What makes two events the same, and for how many seconds (None: for ever)."""

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
    """One message for what belongs together, in Alertmanager's words; times are seconds.

    Attributes:
        by: What is equal in all members of a group; one group where it is empty.
        wait: From the first member to the first message.
        interval: From one message to the next that tells something new.
        repeat: From one message to the next that tells the same; None: never again.
        resolved: Whether to tell that all is well again.
    """

    by: tuple[Expression, ...] = ()
    wait: float = 30.0
    interval: float = 300.0
    repeat: float | None = 14400.0
    resolved: bool = True


@dataclass(frozen=True, slots=True)
class Digest:
    """All events up to each nominal time in one message for each recipient."""

    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """When nobody is to be disturbed; ``hold`` delivers afterwards what still matters, ``drop`` does not."""

    window: Window
    unless: Expression | None = None
    then: Literal["hold", "drop"] = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an escalation, ``after`` seconds; ``unless`` sees ``acked``, ``resolved`` and ``sent``.

    ``via`` and ``translations`` are as in a rule, and so is ``send`` where the step has none of its own.
    """

    after: float
    unless: Expression | None = None
    condition: Expression | None = None
    to: tuple[Contact | OnCall | Template, ...] = ()
    via: tuple[Outlet, ...] = ()
    send: tuple["Draft", ...]
    translations: "Translations" = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One input of a rule test, ``at`` a moment or ``after`` seconds from the one before.

    Attributes:
        kind: ``file``, ``webhook``, ``schedule``, ``missing``, ``ack`` or ``wait``.
        api_down: Whether wbox takes nothing any more, from this input on.
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
    """What a rule is expected to do.

    Attributes:
        when: The inputs, in order.
        expect: The messages, in order, as the rule file has them (a kind with its fields, each a text or
            ``{contains: …}``); ``to`` is as in a rule, ``via`` the name of an outlet, ``at`` a
            moment with its time zone.
        skipped: The stage that stopped it, such as ``if[1]``, ``dedupe`` or ``holiday``.
        until: Seconds that the clock goes on after the last input.
        next_runs_from: From when ``next_runs`` are the nominal times of the schedule.
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
    """A message to be; ``fields`` are the templates of the message's own fields."""

    kind: str
    fields: Mapping[str, Template | tuple[Template, ...]]
    device: int | None = None

    def templates(self) -> Iterator[Template]:
        """Yield all templates of the message."""
        for template in self.fields.values():
            yield from template if isinstance(template, tuple) else (template,)

    def build(self, context: Mapping[str, Any], phone: str) -> WhatsAppMessage:
        """Return the message with everything filled in.

        Raises:
            TemplateError: a template fails.
            MessageError: the message cannot be sent.
        """
        return KINDS[self.kind](phone=phone, device_id=self.device, **self._filled(context))

    def notice(self, context: Mapping[str, Any], outlet: str) -> Notice:
        """Return what the message says as a text for an outlet; raises the same."""
        text = readable(self.kind, self._filled(context))
        return Notice(outlet=outlet, text=text, title=context["rule"]["name"])

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that is ready to run.

    Attributes:
        triggers: What sets it off, any of them.
        for_each: The name of one item, and the expression that gives a list of them.
        reads: What of the file is followed row by row instead: ``rows``, ``lines`` or ``events``.
        conditions: What must hold, all of them.
        to: Contacts, who is on call, and templates that name some.
        via: The outlets that are told the same.
        fallback: The names of the outlets that get a message which wbox does not take.
        send: The messages that each of them gets, in order.
        translations: The same for readers with a zone or language of their own.
        terms: How the messages are to be sent.
        needs: What of ``file`` has to be read: ``sha256``, ``text``, ``json`` (never without ``text``).
        headers: The headers of a call that it may look at, in lower case.
        unseen: What of a call (``body``, ``headers``, ``query``) it looks at nowhere but in ``for_each``.
        file: The file that it stands in; it begins at ``line``.
        spot: Where it stands, for those who find something wrong with it later.
    """

    id: str
    name: str
    triggers: tuple[Trigger, ...]
    for_each: tuple[str, Expression] | None = None
    reads: str | None = None
    conditions: tuple[Expression, ...] = ()
    dedupe: Dedupe | None = None
    throttle: Throttle | None = None
    group: Group | None = None
    digest: Digest | None = None
    quiet_hours: QuietHours | None = None
    to: tuple[Contact | OnCall | Template, ...] = ()
    via: tuple[Outlet, ...] = ()
    send: tuple[Draft, ...]
    translations: Translations = field(default_factory=dict, repr=False)
    escalate: tuple[Step, ...] = ()
    fallback: tuple[str, ...] = ()
    terms: SendOptions = SendOptions()
    tests: tuple[RuleTest, ...] = ()
    needs: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    unseen: frozenset[str] = frozenset()
    file: str
    line: int
    spot: Location = field(repr=False, compare=False)

    def trigger_of(self, path: str) -> FileTrigger | None:
        """Return the trigger that a file sets off."""
        files = (one for one in self.triggers if isinstance(one, FileTrigger))
        return next((one for one in files if one.accepts(path)), None)

    def sources(self) -> Iterator[FileTrigger | WebhookTrigger]:
        """Yield the folders and hooks that have to be looked after for this rule."""
        for trigger in self.triggers:
            source = trigger.of if isinstance(trigger, MissingTrigger) else trigger
            if not isinstance(source, ScheduleTrigger):
                yield source


def _kind(value: Any) -> str:
    """Return what a value is in the words of those who write rules."""
    kinds = {bool: "true or false", list: "a list", dict: "a map"}
    return kinds.get(type(value), "something else")
