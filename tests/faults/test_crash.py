"""The promise, shown on the real daemon: kill -9 loses nothing, SIGTERM finishes what is in flight."""

import random
import signal
from collections import Counter

from workplace import TEXT_RULE, Workplace, ended, until

from wbox_notify.deliveries import State
from wbox_notify.outcomes import Outcome
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

SETTLED = (State.SENT, State.UNKNOWN, State.HELD)


def drop(place: Workplace, *names: str) -> None:
    for name in names:
        (place.drop / name).write_text(f"content of {name}")


def test_kill_9_at_any_moment_loses_nothing_and_doubles_only_what_is_listed_as_unknown(
    place: Workplace, wbox: Simulator
) -> None:
    """Each file goes to a phone of its own: an unknown outcome keeps back what follows to the same phone."""
    place.rule(TEXT_RULE.replace("+90 555 123 45 67", "+90 555 123 45 {{ file.stem }}"))
    chance = random.Random(4711)
    names = [f"{number:02}.txt" for number in range(40)]
    for number in range(8):
        process = place.start("run")
        drop(place, *names[number * 5 : number * 5 + 5])
        wbox.clear_faults()
        wbox.fault(delay=round(chance.uniform(0.0, 0.05), 3))
        wbox.wait_for(len(wbox.messages()) + chance.randint(1, 4), 30)
        process.kill()
        process.communicate(timeout=10)
    wbox.clear_faults()
    last = place.start("run")
    history = open_history(place.store)
    assert history
    until(
        lambda: [delivery.state in SETTLED for delivery in history.queue(list(State))] == [True] * len(names)
    )
    assert ended(last)[0] == 0

    told = Counter(message["idempotency_key"] for message in wbox.messages())
    deliveries = history.queue(list(State), 1000)
    assert len(deliveries) == len(names), "each file has its delivery"
    for delivery in deliveries:
        outcomes = [row["outcome"] for row in history.attempts(delivery.id)]
        unknown = outcomes.count(Outcome.UNKNOWN)
        assert told[delivery.key] >= (delivery.state is State.SENT)
        assert told[delivery.key] <= 1 + unknown, "handed over again without an unknown outcome before"
    assert sum(told.values()) >= len(names) - sum(delivery.state is not State.SENT for delivery in deliveries)
    history.close()


def test_a_restart_sends_nothing_again(place: Workplace, wbox: Simulator) -> None:
    drop(place, "a.txt", "b.txt")
    first = place.start("run")
    wbox.wait_for(2, 20)
    assert ended(first)[0] == 0
    second = place.start("run")
    drop(place, "c.txt")
    wbox.wait_for(3, 20)
    assert ended(second)[0] == 0
    assert sorted(message["body"]["message"][:5] for message in wbox.messages()) == [
        "a.txt",
        "b.txt",
        "c.txt",
    ]


def test_sigterm_finishes_what_is_in_flight_and_ends_with_0_within_5_seconds(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.fault(delay=1.0)
    process = place.start("run")
    drop(place, "a.txt")
    history = None
    assert process.stdout
    while history is None or not history.queue([State.SENDING]):
        assert process.poll() is None
        history = open_history(place.store) if history is None else history
    code, _ = ended(process, signal.SIGTERM, within=5)
    assert code == 0
    assert history.counts() == {State.SENT: 1}
    assert len(wbox.messages()) == 1
    history.close()


def test_a_request_that_outlives_the_daemon_is_unknown_at_the_next_start(
    place: Workplace, wbox: Simulator
) -> None:
    wbox.fault(delay=30.0)
    process = place.start("run")
    drop(place, "a.txt")
    wbox.wait_for(1, 20)
    code, errors = ended(process, signal.SIGTERM, within=6)
    assert code == 0
    assert "its outcome will be listed as unknown" in errors
    wbox.clear_faults()
    process = place.start("run")
    until(lambda: [one["state"] for one in place.json("queue", "list")] == ["unknown"])
    assert ended(process)[0] == 0
    assert len(wbox.messages()) == 1


def test_ctrl_c_ends_it_as_well(place: Workplace, wbox: Simulator) -> None:
    process = place.start("run")
    drop(place, "a.txt")
    wbox.wait_for(1, 20)
    assert ended(process, signal.SIGINT, within=5)[0] == 0
