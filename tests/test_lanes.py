"""Lanes: what is kept in memory chooses what the whole queue in the store would choose."""

import math
import tempfile
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wbox_notify.dispatch import lanes, outbox
from wbox_notify.dispatch.outbox import Outbox
from wbox_notify.model.clock import Step
from wbox_notify.model.deliveries import (
    STUCK,
    WAITING,
    Attempt,
    Circuit,
    Delivery,
    NextStep,
    Plan,
    PlannedMessage,
    SendOptions,
    State,
    Waiting,
)
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Media, Message, Notice, Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.pace import UNLIMITED, Pace
from wbox_notify.store import Store, open_store, statements

_HEAD = """
select e.id from delivery e
where e.device = :device and e.recipient = lanes.recipient and e.expires > :now
and e.state in ('queued', 'unknown', 'sending')
and not (e.state = 'unknown' and e.due > :now)
and not exists (
    select 1 from delivery u
    where u.device = :device and u.recipient = lanes.recipient and u.rule = e.rule
    and u.state = 'unknown' and u.due > :now and u.expires > :now
    and (u.priority > e.priority or u.priority = e.priority and u.id < e.id)
)
order by e.priority desc, e.id limit 1
"""
"""What is first for one recipient; what may have arrived holds only its own rule back."""

DEVICES = f"""
select devices.device, exists (
    select 1 from circuit c
    where c.device in (devices.device, '*') and c.trying = 1 and devices.device <> 'apprise'
) as tried
from (select distinct device from delivery where {statements.OPEN}) as devices
left join turn t on t.device = devices.device and t.recipient = ''
where coalesce(t.next, 0) <= :now
and :most > (select count(*) from delivery s where s.state = 'sending' and s.device = devices.device)
and not exists (
    select 1 from circuit c
    where c.device in (devices.device, '*') and devices.device <> 'apprise' and (c.trying = 0 or exists (
        select 1 from delivery s where s.state = 'sending' and c.device in (s.device, '*')
    ))
)
"""
"""The devices that may send."""

FIRST = f"""
select d.*
from (select distinct recipient from delivery where {statements.OPEN} and device = :device) as lanes
join delivery d on d.id = ({_HEAD})
left join turn t on t.device = :device and t.recipient = lanes.recipient
where lanes.recipient not in (
    select s.recipient from delivery s where s.state = 'sending' and s.device = :device
)
and :recipient in ('', lanes.recipient) and d.due <= :now and coalesce(t.next, 0) <= :now
order by case when :tried then d.claims else 0 end, d.priority desc, d.id limit 1
"""
"""What goes next of a device: critical first, then the oldest; of one that is tried, what was tried least."""

TIMES = """
select due as time from delivery union select expires from delivery union select next from turn
"""
"""The times at which something can have its turn without anything being done."""


def chosen(store: Store, now: float, most: int, recipient: str = "") -> int | None:
    """Return the delivery whose turn it is, as the whole queue says."""
    read = store._database.read
    firsts = []
    for device in read(DEVICES, {"now": now, "most": most}):
        about = {"device": device["device"], "tried": device["tried"], "now": now, "recipient": recipient}
        firsts += read(FIRST, about)
    first = min(firsts, key=lambda row: (-row["priority"], row["id"]), default=None)
    return first["id"] if first else None


def next_turn(store: Store, now: float, most: int) -> float:
    """Return when something has its turn, as the whole queue says."""
    times = sorted({now, *(row["time"] for row in store._database.read(TIMES) if row["time"] > now)})
    return next((time for time in times if chosen(store, time, most) is not None), math.inf)


PACES = [UNLIMITED, Pace(backlog=0), Pace(backlog=2, per_hour=4, recipient_per_hour=2), Pace(every=0.0)]
PHONES = ["905551110001", "905551110002", "905551110003"]
STATES = [State.SENT, State.SENT, State.QUEUED, State.UNKNOWN, State.HELD, State.DEAD]


def a_message(kind: str, phone: str, device: int | None, words: str) -> Message:
    if kind == "notice":
        return Notice(outlet=phone, text=words)
    if kind == "media":
        return Media(phone=phone, url="https://example.com/x.png", device_id=device)
    return Text(phone=phone, message=words, device_id=device)


class LanesMachine(RuleBasedStateMachine):
    """Whatever happens to the queue, its lanes choose what the whole queue would choose."""

    @initialize(pace=st.sampled_from(PACES))
    def begin(self, pace: Pace) -> None:
        self.pace = pace
        self.most = 4 if pace.every else 16
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(f"sqlite:///{self.folder.name}/wbox.db")
        self.now, self.events = 100_000.0, 0
        self.sending: list[Delivery] = []
        self.start()

    def start(self) -> None:
        self.is_followed = False
        self.outbox = Outbox(self.store)
        self.store.follow_queue(self.outbox.note)

    @rule(
        phones=st.lists(st.sampled_from(PHONES), min_size=1, max_size=5),
        kind=st.sampled_from(["text", "text", "text", "media", "notice"]),
        device=st.sampled_from([None, None, 2]),
        owner=st.sampled_from("rs"),
        terms=st.builds(SendOptions, critical=st.booleans(), expire_after=st.sampled_from([9.0, 86400.0])),
        words=st.sampled_from(["", "the same"]),
    )
    def put(
        self, phones: list[str], kind: str, device: int | None, owner: str, terms: SendOptions, words: str
    ) -> None:
        self.events += 1
        name = f"e{self.events}"
        planned = tuple(
            PlannedMessage(
                key=f"{name}:{place}",
                rule=owner,
                message=a_message(kind, phone, device, words or f"{name} {place}"),
                terms=terms,
            )
            for place, phone in enumerate(phones)
        )
        event = Event(id=name, type="file", at=datetime(2026, 11, 22, tzinfo=UTC), data={})
        if self.events % 2:
            self.store.put_message(event, Plan(event_id=name, messages=planned), self.now).result()
        else:
            self.store.put_plans([Plan(event_id=name, messages=planned)], self.now).result()

    @rule(recipient=st.sampled_from(["", "", "", PHONES[0]]))
    def claim(self, recipient: str) -> None:
        first = chosen(self.store, self.now, self.most, recipient)
        if not recipient:
            due = self.outbox.next_due(self.now) if self.is_followed else None
            assert due is None or (due <= self.now) == (first is not None), "it says when there is work"
        claimed = self.turn_over([], 1, recipient)
        left_out = first and self.delivery(first).state is State.CANCELLED
        assert left_out or [delivery.id for delivery in claimed] == ([first] if first else [])
        assert claimed or chosen(self.store, self.now, self.most, recipient) is None

    @precondition(lambda self: self.sending)
    @rule(
        place=st.integers(0, 100),
        state=st.sampled_from(STATES),
        wait=st.sampled_from([0.0, 5.0, 60.0]),
        number=st.integers(0, 3),
    )
    def finish(self, place: int, state: State, wait: float, number: int) -> None:
        """End one, and claim others in the same transaction."""
        delivery = self.sending.pop(place % len(self.sending))
        unknowns = int(state is State.UNKNOWN)
        then = NextStep(state=state, due=self.now + wait, tries=1, unknowns=unknowns, reason="")
        self.turn_over([Attempt(delivery, Answer(outcome=Outcome.SENT, detail=""), then)], number)

    def turn_over(self, ended: list[Attempt], number: int, recipient: str = "") -> list[Delivery]:
        circuits = self.store.circuits()
        chances = [0.5] * number
        claimed = self.outbox.turn_over(ended, self.now, self.pace, chances, circuits, recipient)
        self.is_followed = True
        self.sending += claimed
        return claimed

    def delivery(self, number: int) -> Delivery:
        delivery = self.store.delivery(number)
        assert delivery
        return delivery

    @rule(seconds=st.sampled_from([0.5, 3.0, 10.0, 90.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def wait_for_the_next_turn(self) -> None:
        """Nothing is due before the outbox says so."""
        self.turn_over([], 0)
        due = self.outbox.next_due(self.now)
        assert due <= next_turn(self.store, self.now, self.most), "it is never late"
        if math.isfinite(due):
            self.now = max(self.now, due)

    @rule(state=st.sampled_from(STUCK))
    def requeue(self, state: State) -> None:
        self.store.requeue(None, [state], self.now).result()

    @rule(place=st.integers(0, 100))
    def drop(self, place: int) -> None:
        if waiting := self.store.queue(WAITING):
            self.store.drop([waiting[place % len(waiting)].id], self.now).result()

    @rule()
    def expire(self) -> None:
        self.outbox.expire(self.now, -math.inf)
        assert (self.store.next_expiry() or math.inf) > self.now
        assert self.outbox.next_expiry <= (self.store.next_expiry() or math.inf)

    @rule(device=st.sampled_from(["", "2", "*"]), act=st.sampled_from(["open", "try", "close", "close"]))
    def circuit(self, device: str, act: str) -> None:
        match act:
            case "open":
                self.store.open_circuit(device, Outcome.NOT_READY, self.now + 5, self.now).result()
            case "try":
                self.store.try_circuit(device).result()
            case _:
                self.store.close_circuit(device).result()
        self.is_followed = False

    @rule(jump=st.sampled_from([-5000.0, 5000.0]))
    def set_the_clock(self, jump: float) -> None:
        self.now += jump
        self.store.clock_was_set(Step(self.now, jump, 0.0)).result()
        self.outbox.doubt()

    @rule()
    def restart(self) -> None:
        """Another outbox goes on with what it reads."""
        self.start()

    @invariant()
    def nobody_gets_two_at_once(self) -> None:
        if hasattr(self, "store"):
            phones = [(sent.device, sent.recipient) for sent in self.store.queue([State.SENDING])]
            assert len(phones) == len(set(phones))
            assert len(phones) == len(self.sending)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lanes hold a small part of the queue."""
    monkeypatch.setattr(outbox, "_SLICE", 3)
    monkeypatch.setattr(lanes, "_MOST_OF_A_DEVICE", 4)
    monkeypatch.setattr(lanes, "_MOST_OF_A_LANE", 3)


TestLanes = LanesMachine.TestCase
TestLanes.settings = settings(stateful_step_count=30)


def test_what_is_over_hides_nothing_behind_it() -> None:
    machine = LanesMachine()
    over = SendOptions(critical=False, expire_after=9.0)
    machine.begin(pace=Pace(backlog=0))
    machine.put(device=None, kind="text", owner="r", phones=PHONES[:1] * 3, terms=over, words="")
    machine.wait(seconds=10.0)
    machine.put(device=None, kind="text", owner="r", phones=PHONES[:1], terms=over, words="")
    machine.claim(recipient="")
    machine.teardown()


def test_where_attempts_of_two_devices_end_together_a_doubtful_one_holds_up_no_other() -> None:
    machine = LanesMachine()
    machine.begin(pace=UNLIMITED)
    for device in (None, 2):
        machine.put(
            device=device, kind="text", owner="r", phones=PHONES[:1] * 2, terms=SendOptions(), words=""
        )
    claimed = machine.turn_over([], 2)
    machine.outbox._lanes.doubt_device("2")
    then = NextStep(state=State.SENT, due=machine.now, tries=1, unknowns=0, reason="")
    sent = Answer(outcome=Outcome.SENT, detail="")
    again = machine.turn_over([Attempt(delivery, sent, then) for delivery in claimed], 2)
    assert sorted(delivery.device for delivery in again) == ["", "2"]
    machine.teardown()


class Asked(frozenset[str]):
    """Devices that count how often one of them is looked at."""

    times = 0

    def __contains__(self, device: object) -> bool:
        self.times += 1
        return super().__contains__(device)


@pytest.mark.parametrize("troubled", [[], ["7"]])
def test_a_claim_looks_at_no_more_devices_where_there_are_a_thousand(troubled: list[str]) -> None:
    ours = Asked(str(number) for number in range(1000))
    many = lanes.Lanes(ours)
    many.most = 16
    many.meet(ours)
    many.circuits = [
        Circuit(
            device=name,
            reason=Outcome.NOT_READY,
            since=0.0,
            until=math.inf,
            probes=1,
            trying=False,
            told=False,
        )
        for name in troubled
    ]
    while (name := many.wanted(1.0)) is not None:
        many.learn(name, {}, [])
        many.extend(name, [a_waiting(int(name), name)], 200, 1.0)
    many.first(1.0)
    ours.times = 0
    claimed = []
    for _ in range(100):
        assert many.wanted(1.0) is None
        waiting = many.first(1.0)
        assert waiting
        many.begin(waiting, 1.0, paced=True)
        many.take_turns(waiting, (2.0 + len(claimed), 0.0), 1.0)
        many.end(waiting, None, 1.0)
        claimed.append(waiting.id)
        assert many.next_due(1.0) == 1.0
    assert claimed == [number for number in range(102) if str(number) not in troubled][:100]
    assert ours.times < 10 * len(claimed)


def a_waiting(number: int, device: str) -> Waiting:
    return Waiting(number, device, PHONES[0], "r", 0, 0.0, math.inf, 0, State.QUEUED)
