"""Retries and rules that change: nothing that was accepted is without a message, a memory or a decision."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import turns
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from wbox_notify.daemon.planner import Planner
from wbox_notify.dispatch.queue import Action, Control
from wbox_notify.engine import digest, quiet, throttle
from wbox_notify.engine.item import short
from wbox_notify.model.deliveries import OPEN, STUCK, Delivery, NextStep, Plan, PlannedMessage, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.model.reasons import why
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live, Project
from wbox_notify.store import open_store

BEGIN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
DAY = 86400.0
SETTINGS = "version: 1\ndefaults: {tz: UTC}\nstorm_guard: 1000\n"
CONTACTS = """
version: 1
contacts: {a: "+905551110001", b: {phone: "+905551110002", quiet_hours: "22:00-06:00"}}
"""

BAD, GOOD = "{{ one.body.odd.x }}", ""
"""A part of a template that fails where an event has something odd, and what mends it."""


def a_rule(name: str, how: str, to: str = "[a]", items: str = "[{'body': body}]", part: str = GOOD) -> str:
    """Return a rule whose text names itself and each event that it tells of, such as ``<plain 3>``."""
    text = f"{{% for one in {items} %}}<{name} {{{{ one.body.n }}}}>{part}{{% endfor %}}"
    return f"""
  - id: {name}
    trigger: {{webhook: {{path: p, open: true}}}}
    {how}
    to: {to}
    send: {{text: "{text}"}}
"""


GROUP = ("group: {by: body.g, wait: 30s, interval: 5m, repeat: never}", "group['items']")
DIGEST = ("digest: {every: 1h}", "events")


class House:
    """A project, its store and its planner, moved by hand; wbox takes everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "rules").mkdir()
        (folder / "wbox-notify.yaml").write_text(SETTINGS)
        self.now = BEGIN
        self.store = open_store(f"sqlite:///{folder}/wbox.db")
        self.control = Control(self.store)
        self.planner: Planner | None = None
        self.numbers = 0

    def follow(self, *rules: str) -> None:
        """Follow these rules from now on."""
        (self.folder / "rules" / "a.yaml").write_text(f"{CONTACTS}rules:\n{''.join(rules)}", encoding="utf-8")
        project = load(self.folder, {"WBOX_API_KEY": "sk_x"})
        assert [problem.message for problem in project.problems if problem.severity == "error"] == []
        self.project: Project = project
        if self.planner is None:
            self.live = Live(project)
            self.planner = Planner(self.live, self.store, clock=lambda: self.now, steady=lambda: self.now)
        self.live.project = project

    def post(self, *, odd: bool = False, to: str = "", g: str = "g") -> int:
        """Let a call come in and be planned; return its number."""
        self.numbers += 1
        body = {"n": self.numbers, "g": g, "to": to, "odd": {} if odd else {"x": ""}}
        data = {"path": "p", "method": "POST", "headers": {}, "query": {}, "body": body}
        at = datetime.fromtimestamp(self.now, UTC)
        event = Event(id=f"e{self.numbers}", type="webhook", at=at, data=data)
        self.store.put_events([event], self.now).result()
        self.step()
        return self.numbers

    def step(self) -> None:
        assert self.planner
        while self.planner.step():
            pass
        while delivery := turns.claim(self.store, self.now):
            then = NextStep(state=State.SENT, due=0.0, tries=1, unknowns=0, reason="")
            turns.finish(self.store, delivery, Answer(outcome=Outcome.SENT, detail=""), then, self.now)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.store.next_memory()) is not None and due <= until:
            self.now = max(self.now, due)
            self.step()
        self.now = until
        self.step()

    def retry(self, action: Action = Action.RETRY) -> list[int]:
        """Retry all, as a person does."""
        states = (State.HELD,) if action is Action.RELEASE else (*STUCK, State.QUEUED)
        done = self.store.requeue(None, states, self.now).result()
        self.step()
        return done

    def stuck(self) -> list[Delivery]:
        return self.store.queue(STUCK)

    def told(self) -> Counter[str]:
        """Return what was told how often to each phone: ``plain 3 to 905551110001``."""
        return Counter(
            f"{mark} to {delivery.message.phone[-1]}"
            for delivery in self.store.queue([State.SENT], 10_000)
            if isinstance(delivery.message, Text)
            for mark in re.findall(r"<([^>]*)>", delivery.message.message)
        )

    def decisions(self, number: int) -> list[str]:
        return [step.detail for step in self.store.decisions(f"e{number}")]

    def leave(self) -> None:
        self.store.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.leave()


def once(*marks: str) -> Counter[str]:
    return Counter(dict.fromkeys(marks, 1))


def test_Q04_a_retry_tells_what_failed_and_no_other_rule_hears_of_its_event_again(house: House) -> None:
    group = a_rule("group", GROUP[0], items=GROUP[1])
    digest = a_rule("digest", DIGEST[0], items=DIGEST[1])
    queue = a_rule("queue", "throttle: {max: 1, per: 10m, overflow: queue}")
    night = a_rule("night", 'quiet_hours: "11:00-13:00"')
    others = (group, digest, queue, night)
    house.follow(a_rule("plain", "name: p", part=BAD), *others)
    house.post(odd=True)
    house.wait(DAY)
    house.follow(a_rule("plain", "name: p"), *others)
    house.now = BEGIN + 2 * DAY
    house.post()
    assert len(house.retry()) == 1
    house.post()
    house.wait(DAY)
    names = ("plain", "group", "digest", "queue", "night")
    assert house.told() == once(*(f"{name} {n} to 1" for name in names for n in (1, 2, 3)))
    assert house.stuck() == []


def test_Q04_a_retry_tells_the_reader_whose_message_failed_and_no_other(house: House) -> None:
    for_b = "{% if contact.name == 'b' %}{{ body.odd.x }}{% endif %}"
    house.follow(a_rule("plain", "name: p", to="[a, b]", part=for_b))
    house.post(odd=True)
    assert house.told() == once("plain 1 to 1")
    house.follow(a_rule("plain", "name: p", to="[a, b]").replace("<plain", "mended <plain"))
    house.retry()
    assert house.told() == once("plain 1 to 1", "plain 1 to 2")
    assert house.stuck() == []


@pytest.mark.parametrize(("how", "items"), [GROUP, DIGEST], ids=["group", "digest"])
def test_Q04_a_group_or_a_digest_that_could_not_be_told_is_told_whole_by_a_retry(
    house: House, how: str, items: str
) -> None:
    house.follow(a_rule("many", how, items=items, part=BAD))
    for odd in (False, True, False):
        house.post(odd=odd)
    house.wait(3600)
    [dead] = house.stuck()
    assert dead.state is State.DEAD
    house.follow(a_rule("many", how, items=items))
    house.post()
    house.wait(3600)
    house.retry()
    assert house.told() == once(*(f"many {n} to 1" for n in (1, 2, 3, 4)))


def test_Q04_what_waits_for_a_broken_recipient_is_told_when_it_is_mended_and_leaves_the_list(
    house: House,
) -> None:
    broken = a_rule("many", GROUP[0], to='["{{ body.to }}"]', items=GROUP[1])
    house.follow(broken)
    house.post(to="nobody")
    house.wait(60)
    [dead] = house.stuck()
    assert "`nobody` is neither a contact nor a group" in dead.reason
    house.follow(broken.replace("{{ body.to }}", "a"))
    house.wait(600)
    assert house.told() == once("many 1 to 1")
    assert house.stuck() == [], "it was told by itself, so there is nothing to retry"


def test_Q04_one_that_fails_among_those_that_a_throttle_lets_go_stops_no_other(house: House) -> None:
    queue = a_rule("queue", "throttle: {max: 2, per: 10m, overflow: queue}", to='["{{ body.to }}"]')
    house.follow(queue)
    for to in ("a", "a", "nobody", "a"):
        house.post(to=to)
    house.wait(DAY)
    assert house.told() == once("queue 1 to 1", "queue 2 to 1", "queue 4 to 1")
    house.follow(queue.replace("{{ body.to }}", "a"))
    house.retry()
    house.wait(DAY)
    assert house.told()["queue 3 to 1"] == 1
    assert house.stuck() == []


def test_Q04_what_fails_again_stands_on_the_list_again(house: House) -> None:
    house.follow(a_rule("plain", "name: p", part=BAD))
    house.post(odd=True)
    [before] = house.stuck()
    for _ in range(3):
        house.retry()
        [after] = house.stuck()
        assert (after.key, after.reason) == (before.key, before.reason)


def test_Q05_a_message_whose_key_is_taken_by_another_text_waits_for_a_person(house: House) -> None:
    def planned(text: str) -> Plan:
        message = Text(phone="905551110001", message=text)
        return Plan(event_id="e1", messages=(PlannedMessage(key="k", rule="r", message=message),))

    house.follow(a_rule("plain", "name: p"))
    house.post()
    for text in ("one", "one", "two", "two"):
        house.store.put_plans([planned(text)], house.now).result()
    [held] = house.stuck()
    assert held.message == Text(phone="905551110001", message="two")
    assert why(held).endswith("has the same key and says something else")
    assert [detail for detail in house.decisions(1) if "same key" in detail] == [f"held: {why(held)}"]


@pytest.mark.parametrize(
    ("how", "items", "number"),
    [
        (*GROUP, "2 events of its group"),
        (*DIGEST, "2 events of its digest"),
        ('quiet_hours: "11:00-13:00"', "[{'body': body}]", "2 events of its quiet hours"),
        ("throttle: {max: 1, per: 1h, overflow: queue}", "[{'body': body}]", "1 event of its throttle"),
    ],
    ids=["group", "digest", "quiet hours", "throttle"],
)
@pytest.mark.parametrize("comes_back", [True, False])
def test_Q06_what_a_removed_rule_holds_waits_for_a_person(
    house: House,
    how: str,
    items: str,
    number: str,
    comes_back: bool,  # noqa: FBT001 - a column of the table
) -> None:
    mine, other = a_rule("mine", how, items=items), a_rule("other", "name: o")
    house.follow(mine, other)
    house.post()
    house.post()
    house.follow(mine.replace("id: mine", "id: renamed"), other)
    house.wait(2 * 3600)
    [held] = house.stuck()
    assert held.state is State.HELD
    assert why(held).startswith(f"the rule mine is gone, and {number} wait")
    house.retry()
    [held] = house.stuck()
    assert held.state is State.HELD
    assert "the rule mine is gone" in why(held)
    if comes_back:
        house.follow(mine, other)
        house.retry(Action.RELEASE)
        house.wait(DAY)
        assert house.told() == once(*(f"{name} {n} to 1" for name in ("mine", "other") for n in (1, 2)))
    else:
        house.store.drop(None, house.now).result()
    assert house.stuck() == []


@pytest.mark.parametrize("comes_back", [True, False])
def test_Q06_an_escalation_of_a_removed_rule_waits_for_a_person(house: House, *, comes_back: bool) -> None:
    mine = a_rule("mine", "escalate: {after: 1h, to: b, send: {text: <step of mine>}}")
    other = a_rule("other", "name: o")
    house.follow(mine, other)
    house.post()
    house.follow(mine.replace("id: mine", "id: renamed"), other)
    house.wait(2 * 3600)
    [held] = house.stuck()
    assert why(held).startswith("the rule mine is gone, and 1 event of its escalation waits")
    assert "yükseltme" in why(held, "tr")
    if comes_back:
        house.follow(mine, other)
        house.retry(Action.RELEASE)
        house.wait(DAY)
        assert house.told()["step of mine to 2"] == 1
    else:
        house.store.drop(None, house.now).result()
        house.wait(DAY)
        assert house.told() == once("mine 1 to 1", "other 1 to 1")
    assert house.stuck() == []


def test_Q06_the_number_that_a_removed_rule_left_out_waits_for_a_person(house: House) -> None:
    mine = a_rule("mine", "throttle: {max: 1, per: 1h}")
    house.follow(mine)
    for _ in range(3):
        house.post()
    house.follow(a_rule("other", "name: o"))
    house.wait(2 * 3600)
    [held] = house.stuck()
    assert why(held).startswith("the rule mine is gone, and 2 events of its throttle wait")
    house.follow(mine)
    house.retry(Action.RELEASE)
    house.wait(DAY)
    texts = [
        one.message.message for one in house.store.queue([State.SENT], 10) if isinstance(one.message, Text)
    ]
    assert [text for text in texts if "and 2 more of “mine”" in text]


@pytest.mark.parametrize("answered", ["acked", "over"])
def test_Q06_an_escalation_that_is_over_needs_nobody_when_its_rule_is_removed(
    house: House, answered: str
) -> None:
    mine = a_rule("mine", "escalate: {after: 1h, to: b, send: {text: <step of mine>}}")
    house.follow(mine)
    number = house.post()
    if answered == "acked":
        data = {"rule": "mine", "key": short(f"e{number}:0")}
        at = datetime.fromtimestamp(house.now, UTC)
        house.store.put_events([Event(id="ack", type="ack", at=at, data=data)], house.now).result()
        house.step()
    else:
        house.wait(2 * 3600)
    house.follow(a_rule("other", "name: o"))
    house.wait(10 * DAY)
    assert house.stuck() == []
    assert house.store.next_memory() is None


@pytest.mark.parametrize(
    ("how", "items"),
    [GROUP, DIGEST, (f'{GROUP[0]}\n    quiet_hours: "11:00-13:00"', GROUP[1])],
    ids=["group", "digest", "a group in quiet hours"],
)
def test_Q07_what_waits_in_a_group_or_digest_that_the_rule_has_no_more_is_told_one_by_one(
    house: House, how: str, items: str
) -> None:
    house.follow(a_rule("mine", how, to="[a, b]", items=items))
    for _ in range(3):
        house.post()
    house.wait(40)
    house.follow(a_rule("mine", "name: m", to="[a, b]"))
    house.wait(DAY)
    assert house.told().keys() == {f"mine {n} to {to}" for n in (1, 2, 3) for to in (1, 2)}
    assert house.stuck() == []


@pytest.mark.parametrize("how", [DIGEST[0], 'quiet_hours: "11:00-13:00"'], ids=["digest", "quiet hours"])
def test_Q08_what_waits_for_somebody_whom_the_rule_tells_no_more_waits_for_a_person(
    house: House, how: str
) -> None:
    items = DIGEST[1] if "digest" in how else "[{'body': body}]"
    house.follow(a_rule("mine", how, to="[a, b]", items=items))
    house.post()
    house.post()
    house.follow(a_rule("mine", how, to="[a]", items=items))
    house.wait(7200)
    assert house.told() == once("mine 1 to 1", "mine 2 to 1")
    [held] = house.stuck()
    assert held.state is State.HELD
    assert why(held).startswith("b is not told by this rule any more, and 2 events")
    house.retry(Action.RELEASE)
    house.wait(7200)
    assert house.told() == once(*(f"mine {n} to {to}" for n in (1, 2) for to in (1, 2)))


@pytest.mark.parametrize(
    ("module", "how", "items", "to"),
    [
        ("throttle", "throttle: {max: 1, per: 1h, overflow: queue}", "[{'body': body}]", "queue"),
        ("digest", DIGEST[0], DIGEST[1], "digest for a"),
        ("quiet", 'quiet_hours: "11:00-13:00"', "[{'body': body}]", "wait for a already"),
    ],
    ids=["a queue of 1,000", "a digest of 2,000", "500 in quiet hours"],
)
def test_Q09_what_is_more_than_a_list_holds_is_counted_in_a_message(
    house: House, monkeypatch: pytest.MonkeyPatch, module: str, how: str, items: str, to: str
) -> None:
    monkeypatch.setattr(f"wbox_notify.engine.{module}.MOST", 3)
    house.follow(a_rule("mine", how, items=items))
    numbers = [house.post() for _ in range(9)]
    fit = 4 if module == "throttle" else 3
    for number in numbers[fit:]:
        assert [detail for detail in house.decisions(number) if to in detail], "each has a row that says so"
    house.wait(DAY)
    told = house.told()
    assert told == once(*(f"mine {n} to 1" for n in numbers[:fit]))
    texts = [one.message for one in house.store.queue([State.SENT], 100)]
    said = "\n".join(one.message for one in texts if isinstance(one, Text))
    assert f"and {9 - fit} more of “mine” that were left out" in said


def test_Q09_the_lists_are_as_long_as_the_documentation_says() -> None:
    assert (throttle.MOST, digest.MOST, quiet.MOST) == (1000, 2000, 500)


VARIANTS: dict[str, Callable[[str], str]] = {
    "good": lambda name: RULES[name](GOOD),
    "broken": lambda name: RULES[name](BAD),
    "gone": lambda name: a_rule(f"not-{name}", "if: body.n < 0"),
}
RULES: dict[str, Callable[[str], str]] = {
    "plain": lambda part: a_rule("plain", "name: p", part=part),
    "group": lambda part: a_rule("group", GROUP[0], items=GROUP[1], part=part),
    "digest": lambda part: a_rule("digest", DIGEST[0], items=DIGEST[1], part=part),
    "queue": lambda part: a_rule("queue", "throttle: {max: 1, per: 10m, overflow: queue}", part=part),
    "night": lambda part: a_rule("night", 'quiet_hours: "20:00-04:00"', part=part),
    "nobody": lambda part: a_rule("nobody", "name: n", to='["{{ body.odd.x }}a"]' if part else "[a]"),
}


class RetryMachine(RuleBasedStateMachine):
    """Rules break, go and come back, a person retries: each event is told by each rule that it concerned."""

    @initialize(name=st.sampled_from(sorted(RULES)))
    def begin(self, name: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.house = House(Path(self.folder.name))
        self.name = name
        self.concerned: list[int] = []
        self.there = True
        self.house.follow(RULES[name](GOOD))

    @rule(odd=st.booleans(), g=st.sampled_from("gh"))
    def post(self, odd: bool, g: str) -> None:  # noqa: FBT001
        number = self.house.post(odd=odd, g=g)
        if self.there:
            self.concerned.append(number)

    @rule(variant=st.sampled_from(sorted(VARIANTS)))
    def edit(self, variant: str) -> None:
        self.there = variant != "gone"
        self.house.follow(VARIANTS[variant](self.name))

    @rule(seconds=st.sampled_from([1, 40, 700, 4000, 40000]))
    def wait(self, seconds: int) -> None:
        self.house.wait(seconds)

    @rule()
    def retry(self) -> None:
        self.house.retry()

    def teardown(self) -> None:
        if not hasattr(self, "house"):
            return
        self.house.follow(RULES[self.name](GOOD))
        for _ in range(5):
            self.house.wait(DAY)
            self.house.retry()
        self.house.wait(DAY)
        assert self.house.stuck() == []
        assert self.house.store.queue(OPEN) == []
        assert self.house.told() == once(*(f"{self.name} {number} to 1" for number in self.concerned))
        self.house.leave()
        self.folder.cleanup()


def test_Q13_whatever_breaks_goes_and_is_retried_each_event_is_told_once() -> None:
    run_state_machine_as_test(
        RetryMachine,
        settings=settings(
            stateful_step_count=15,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_a_number_on_the_list_never_becomes_that_of_another_delivery(house: House) -> None:
    house.follow(a_rule("plain", "name: p", part=BAD))
    house.post(odd=True)
    house.post(odd=True)
    before = {one.id for one in house.stuck()}
    house.retry()
    after = {one.id for one in house.stuck()}
    assert len(before) == len(after) == 2
    assert not before & after
