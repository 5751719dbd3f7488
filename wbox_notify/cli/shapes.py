"""What commands print with ``--json``; the reference is made of it, and tests hold the commands to it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wbox_notify.model.deliveries import Hold, LeftOut, State


class Shape(BaseModel):
    """A map with these keys, and no others."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Error(Shape):
    """A command that failed prints this on stderr, in one line; what it said before stays on stdout."""

    type: Literal["error"]
    """what it is"""
    exit: int
    """the exit code"""
    message: str
    """what is wrong"""
    hint: str | None
    """what to do about it"""


class Decision(Shape):
    """What one stage of a rule decided."""

    rule: str
    """the rule; `-` for wbox-notify itself"""
    stage: str
    """the stage, such as `if` or `quiet_hours`"""
    outcome: Literal["passed", "stopped", "waits", "failed"]
    """what came of it"""
    detail: str
    """why, with the values that were seen"""


class Delivery(Shape):
    """A message on its way."""

    id: int
    """its number"""
    event: str
    """the event that it follows from"""
    rule: str
    """the rule that made it; empty for one that was sent by hand"""
    kind: str | None
    """`text`, `media`, `event`, `poll` or `notice`; nothing where no message could be made"""
    to: str | None
    """the phone number, or the outlet"""
    state: State
    """its state"""
    due: datetime
    """when it is tried next, or was due"""
    created: datetime
    """when it was planned"""
    tries: int
    """the attempts that count"""
    reason: str
    """why it waits or was not sent, in the language of the project"""
    hold: Hold | None
    """the code of what a person is to decide"""
    left_out: LeftOut | None
    """the code of why it is not sent"""


class Attempt(Shape):
    """One call of wbox or of another service."""

    number: int
    """which attempt it was"""
    started: datetime
    """when it began"""
    outcome: str | None
    """what came of it; nothing while it is under way"""
    status: int | None
    """the status of HTTP"""
    latency: float | None
    """how many seconds it took"""
    detail: str | None
    """the answer"""


class Message(Delivery):
    """A delivery with its text and its attempts."""

    message: dict[str, str]
    """what it says, by the names of the fields of its kind"""
    attempts: list[Attempt]
    """all attempts, the first one first"""


class Listed(Delivery):
    """A delivery in the queue."""

    file: str | None
    """the path of the file that set it off"""


class Reminder(Shape):
    """A reminder that waits for its date; it is in the list without a number."""

    id: None
    """nothing: it is no delivery yet"""
    event: str
    """the event that it follows from"""
    rule: str
    """its rule"""
    kind: str
    """the kind of memory"""
    state: Literal["waits"]
    """what it does"""
    due: datetime | None
    """when it is told"""
    created: datetime
    """when its event came"""
    key: Any
    """its key, by which `queue cancel` knows it"""
    at: datetime
    """the date that it reminds of"""


class Event(Shape):
    """An event, what rules decided on it, and the messages that follow from it."""

    event: str
    """its id"""
    type: str
    """what it is: `file`, `webhook`, `schedule`, `missing`, `send` and others"""
    about: str
    """the file, the hook, the rule or the kind of message"""
    at: datetime
    """when it happened"""
    received: datetime
    """when it was stored"""
    decisions: list[Decision]
    """in the order in which they were made"""


class LogLine(Event):
    """One line for each event."""

    deliveries: list[Delivery]
    """the messages"""


class Waiting(Shape):
    """What a rule holds of an event."""

    rule: str
    """the rule"""
    stage: str
    """the stage that holds it"""
    due: datetime
    """when the rule goes on"""


class Trail(Event):
    """All that is known of an event."""

    waiting: list[Waiting]
    """what rules hold of it"""
    deliveries: list[Message]
    """the messages"""


class Why(Shape):
    """What became of events, and why no rule took a file."""

    events: list[Trail]
    """the events, oldest first"""
    not_taken: list[str]
    """for each rule why it does not take the file that was asked about"""


class Device(Shape):
    """The wbox device."""

    ready: bool
    """whether it can send"""
    text: str
    """its state in words"""


class Circuit(Shape):
    """A device that is paused."""

    device: str
    """the device; empty for the first, `*` for all"""
    reason: str
    """why"""
    trying: bool
    """whether one message tries it now"""


class QueueState(Shape):
    """The queue."""

    waiting: int
    """how many messages wait"""
    stuck: dict[State, int]
    """how many cannot be sent, by state"""
    sent_24h: int
    """how many wbox took in 24 hours"""
    repeated_24h: int
    """how many texts were repeated in 24 hours, and sent once"""
    oldest: float | None
    """for how many seconds the oldest has waited"""
    circuits: list[Circuit]
    """the devices that are paused"""
    silent: dict[str, datetime]
    """the rules that are silent, and until when"""


class Unwanted(Shape):
    """Files that no rule takes."""

    folder: str
    """the folder"""
    number: int
    """how many"""
    names: list[str]
    """the names of some"""


class Sharing(Shape):
    """A daemon that shares the store with others."""

    host: str
    """the machine that it runs on"""
    version: str
    """its version of wbox_notify"""
    since: datetime
    """since when it runs"""


class Status(Shape):
    """The daemon, the device and the queue."""

    daemon: bool
    """whether the daemon answers"""
    daemons: list[Sharing]
    """the daemons that live and share the store; none where a store has one alone"""
    rules: int
    """rules in use"""
    errors: int
    """errors in the files"""
    device: Device
    """the device"""
    queue: QueueState
    """the queue"""
    unwanted: list[Unwanted]
    """the files that no rule takes, by folder"""


class Counts(Shape):
    """The deliveries that wait, are held or could not be sent."""

    states: dict[State, int]
    """how many, by state"""
    rules: dict[str, dict[State, int]]
    """how many of each rule, by state"""
    oldest: datetime | None
    """since when the oldest has waited"""


class Changed(Shape):
    """The deliveries that were retried, released or dropped."""

    ids: list[int]
    """their numbers"""
    count: int
    """how many"""


class Cancelled(Shape):
    """The reminders that were cancelled."""

    rule: str
    """their rule"""
    keys: list[str]
    """their keys, as JSON texts"""
    count: int
    """how many"""


class Request(Shape):
    """A call of wbox that would be made."""

    path: str
    """the path of the API"""
    body: dict[str, Any]
    """its body"""
    at: datetime
    """when"""


class Notice(Shape):
    """A message to another service that would be sent."""

    outlet: str
    """the outlet"""
    text: str
    """what it says"""
    title: str
    """its title"""


class Rehearsal(Shape):
    """What would follow from the event, now and later; nothing was stored or sent."""

    decisions: list[Decision]
    """in the order in which they would be made"""
    requests: list[Request]
    """the calls of wbox"""
    notices: list[Notice]
    """the messages to other services"""


class Triggered(Shape):
    """The event that is on disk."""

    event: str
    """its id"""
    new: bool
    """whether it was not known yet"""


class Said(Shape):
    """A message that a version of the rules makes."""

    at: datetime
    """when"""
    rule: str
    """the rule"""
    to: str | None
    """the phone number, or the outlet"""
    message: dict[str, str]
    """what it says"""
    problem: str | None
    """why none could be made"""
    hold: Hold | None
    """the code of what a person would have to decide"""


class Pair(Shape):
    """A message as it was, and as it is with the edited rules."""

    before: Said
    """with the rules in use"""
    after: Said
    """with the edited rules"""


class Numbers(Shape):
    """How many messages there are."""

    before: int
    """with the rules in use"""
    after: int
    """with the edited rules"""


class Plan(Shape):
    """What edited rules would have sent, beside the rules in use."""

    messages: Numbers
    """how many in all"""
    added: list[Said]
    """what only the edited rules send"""
    gone: list[Said]
    """what only the rules in use send"""
    changed: list[Pair]
    """what both send, with another text, to somebody else or at another time"""


class Step(Shape):
    """What is due, the next first."""

    at: datetime
    """when"""
    what: str
    """`schedule`, `missing`, or the stage that goes on: `group`, `digest`, `quiet_hours`, `silence` …"""
    rule: str
    """the rule"""
    waiting: int
    """how many events nobody was told of yet"""


class Replayed(Shape):
    """The events that go through the rules once more."""

    events: list[str]
    """their ids"""
    count: int
    """how many"""


class Acked(Shape):
    """The troubles that were acknowledged."""

    rule: str
    """their rule"""
    count: int
    """how many"""


class Silenced(Shape):
    """Until when a rule is silent."""

    rule: str
    """the rule"""
    until: datetime | None
    """until when; nothing where it is not silent any more"""


class CheckedRule(Shape):
    """A rule without errors."""

    id: str
    """the rule"""
    file: str
    """its file"""
    line: int
    """where it begins"""
    files: int
    """how many new files it would take now"""


class Problem(Shape):
    """A mistake in a file."""

    file: str
    """the file"""
    line: int | None
    """the line"""
    column: int | None
    """the column"""
    end_column: int | None
    """where it ends"""
    code: str
    """the code of such mistakes"""
    severity: Literal["error", "warning"]
    """whether the file can be used"""
    message: str
    """what is wrong"""
    hint: str | None
    """what to do about it"""


class Check(Shape):
    """The rules and the mistakes of a project."""

    rules: list[CheckedRule]
    """the rules without errors"""
    unwanted: list[Unwanted]
    """the files that no rule takes, by folder"""
    problems: list[Problem]
    """all mistakes"""


class Tested(Shape):
    """A test of a rule."""

    rule: str
    """the rule"""
    test: str
    """the name of the test"""
    passed: bool
    """whether it passed"""
    file: str
    """the file of the rule"""
    line: int
    """where the test stands"""
    complaints: list[str]
    """what is not as it was expected"""


class Planned(Shape):
    """A line of `run`: what rules decided on an event, or on what was due."""

    at: datetime
    """when the event happened"""
    event: str
    """its id"""
    type: str
    """its type; `due` for what rules had kept"""
    decisions: list[Decision]
    """what was decided"""


class Attempted(Shape):
    """A line of `run`: an attempt, and what follows."""

    delivery: int
    """the number of the delivery"""
    event: str
    """the event that it follows from"""
    rule: str
    """its rule"""
    outcome: str
    """what came of it"""
    status: int | None
    """the status of HTTP"""
    detail: str
    """the answer"""
    state: State
    """the state of the delivery now"""
    due: datetime
    """when it is tried next, or was done"""


class Linking(Shape):
    """A line of `pair`, whenever something changes; the code itself is never printed."""

    device: int
    """the device"""
    ready: bool
    """whether it is linked"""
    picture: str | None
    """the file with the code, while there is one"""
    reason: str | None
    """why there is no code"""


class Init(Shape):
    """The project that was written."""

    folder: str
    """where"""
    files: list[str]
    """its files"""
    next: list[str]
    """the commands that come next"""


class Installed(Shape):
    """Where `wbox://` is installed for Apprise."""

    path: str
    """the first place"""
    done: str
    """what was done there"""
    all: dict[str, str]
    """what was done, by place"""


class Unit(Shape):
    """The unit of systemd, written."""

    path: str
    """its file"""
    done: str
    """what was done"""
    next: list[str]
    """the commands that come next"""


class UnitText(Shape):
    """The unit of systemd, only shown."""

    path: str
    """its file"""
    unit: str
    """its text"""


class StoreCheck(Shape):
    """What is in the store, and what is wrong in it."""

    rows: dict[str, int]
    """how many rows each table has"""
    damage: str
    """what is wrong with the database itself; empty where it is sound"""
    faults: dict[str, int]
    """what else is not as it should be, such as `attempt_without_delivery`, and how often"""


class Backup(Shape):
    """The file that holds a copy of the store."""

    file: str
    """its path"""
    size: int
    """its size in bytes"""


class Copied(Shape):
    """What was copied into another store."""

    rows: dict[str, int]
    """how many rows of each table"""


class Demo(Shape):
    """What `demo --once` has sent; the steps before it are lines as those of `run`."""

    messages: list[dict[str, Any]]
    """what the stand-in for wbox received"""
    missing: list[str]
    """what did not arrive"""


class Address(Shape):
    """Where the stand-in for wbox answers."""

    url: str
    """its address"""


class Output(BaseModel):
    """What each command prints, and an error on stderr."""

    error: Error
    status: Status
    log: LogLine
    why: Why
    show: Message
    queue_list: list[Listed | Reminder] = Field(alias="queue list")
    queue_counts: Counts = Field(alias="queue counts")
    queue_retry: Changed = Field(alias="queue retry")
    queue_release: Changed = Field(alias="queue release")
    queue_drop: Changed = Field(alias="queue drop")
    queue_cancel: Cancelled = Field(alias="queue cancel")
    send: Delivery
    ack: Acked
    silence: Silenced
    replay: Replayed
    plan: Plan
    plan_next: list[Step] = Field(alias="plan --next")
    trigger: Triggered
    trigger_dry_run: Rehearsal = Field(alias="trigger --dry-run")
    check: Check
    test: list[Tested]
    run: Planned | Attempted
    pair: Linking
    init: Init
    install_apprise: Installed = Field(alias="install apprise")
    install_service: Unit | UnitText = Field(alias="install service")
    store_check: StoreCheck = Field(alias="store check")
    store_backup: Backup = Field(alias="store backup")
    store_copy: Copied = Field(alias="store copy")
    demo: Demo | Planned | Attempted
    simulate: Address


def output_schema() -> dict[str, Any]:
    """Return the JSON Schema of all that commands print: a property for each command."""
    return Output.model_json_schema(mode="serialization")
