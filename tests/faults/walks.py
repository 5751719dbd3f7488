"""The walks of the daemon that faults strike: an intake, a send; and the sweep of a fault along them."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable

import requests
from faults.invariants import check
from faults.tracing import killing, needs_strace, tracing
from workplace import TEXT_RULE, Workplace, ended, until

from wbox_notify.model.deliveries import State
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

SETTLED = (State.SENT, State.UNKNOWN, State.HELD)

SILENT = """
version: 1
rules:
  - id: silent
    trigger: {webhook: {path: hook, open: true, id: body.n}}
    if: body.n > 1000
    to: "+905551234567"
    send: {text: "{{ body.n }}"}
"""
NUMBERED = TEXT_RULE.replace("+90 555 123 45 67", "+90 555 1{{ file.stem }}")
"""A phone for each file: an unknown outcome keeps back what follows to the same phone."""

POLL = NUMBERED.replace('text: "{{ file.name }}: {{ file.text }}"', "poll: {question: Tea?, options: [a, b]}")


def drop(place: Workplace, *names: str) -> None:
    """Drop small files."""
    for name in names:
        (place.drop / name).write_text(f"content of {name}")


def begun(place: Workplace) -> subprocess.Popen[str]:
    """Return a daemon that has said all that it says at its start."""
    process = place.start("run")
    assert process.stdout
    for line in process.stdout:
        if line.startswith("  address"):
            return process
    raise AssertionError(process.communicate())


def url(place: Workplace) -> str:
    """Return where the daemon of a place answers."""
    return str(json.loads((place.folder / "data" / "daemon.json").read_text())["url"])


def sweep(
    place: Workplace,
    system_call: str,
    numbers: Iterable[int],
    *,
    walk: Callable[[int], Callable[[], bool]],
    again: Callable[[int], None],
) -> int:
    """Kill the daemon as it enters its N-th system call of a walk; return how often it died.

    Args:
        place: Where it runs.
        system_call: The name; each thread counts its own.
        numbers: The N; the sweep ends at the first that the walk does not have.
        walk: Sets off the walk of a number; returns what says that it is through.
        again: Asks for what must hold after the next start.
    """
    needs_strace()
    process = begun(place)
    deaths = 0
    for number in numbers:
        with tracing(process.pid, killing(system_call, number)):
            survived = _survived(process, walk(number))
        if survived:
            break
        process.communicate(timeout=10)
        deaths += 1
        process = begun(place)
        again(number)
    assert ended(process)[0] == 0
    return deaths


def _survived(process: subprocess.Popen[str], through: Callable[[], bool]) -> bool:
    """Wait until a walk is through or the daemon is dead; a dead one may look as if it were."""
    until(lambda: process.poll() is not None or through(), within=60)
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        return True
    return False


class Calls:
    """Webhooks that are only kept: the walk of an intake."""

    def __init__(self, place: Workplace, wbox: Simulator) -> None:
        self.place, self.wbox = place, wbox
        self.accepted: set[str] = set()
        place.rule(SILENT)

    def walk(self, number: int) -> Callable[[], bool]:
        """Call the webhook once."""
        self.call(number)
        return lambda: self.planned(number)

    def call(self, number: int) -> int | None:
        """Ask whether it lives, then call; return the status, None where nobody answers."""
        try:
            requests.get(f"{url(self.place)}/livez", timeout=20)
            return self.answer(number).status_code
        except requests.RequestException:
            return None

    def answer(self, number: int) -> requests.Response:
        """Call; return the answer."""
        answer = requests.post(f"{url(self.place)}/hook/hook", json={"n": number}, timeout=20)
        if answer.status_code == 202:
            self.accepted.add(answer.json()["id"])
        return answer

    def planned(self, number: int) -> bool:
        """Say whether the call of a number went all its way."""
        return self.events().get(f"webhook:hook:{number}") is not None

    def again(self, number: int) -> None:
        """Call as a sender does that got no answer: it is there once, and known if it was kept."""
        name = f"webhook:hook:{number}"
        check(self.place, self.wbox, self.accepted)
        known = self.events()
        assert len(set(known) - self.accepted) <= 1, "at most the call that got no answer"
        assert self.call(number) == (200 if name in known else 202)
        until(lambda: self.planned(number))
        assert set(self.events()) == {*known, name}
        self.accepted.add(name)
        check(self.place, self.wbox, self.accepted)
        assert self.wbox.messages() == []

    def events(self) -> dict[str, float | None]:
        """Return when each event was planned."""
        history = open_history(self.place.store)
        assert history
        found = {row["id"]: row["planned"] for row in history.events(most=10_000)}
        history.close()
        return found


class Drops:
    """Dropped files, each a message to a phone of its own: the walk of a send."""

    def __init__(self, place: Workplace, wbox: Simulator, rule: str = NUMBERED) -> None:
        self.place, self.wbox = place, wbox
        place.rule(rule)
        self.dropped = 0

    def walk(self, number: int) -> Callable[[], bool]:
        """Drop a file."""
        drop(self.place, f"{number:06}.txt")
        self.dropped += 1
        return self.settled

    def settled(self) -> bool:
        """Say whether each file's message is sent, or listed as one that may have been."""
        states = self.states()
        return sum(states.values()) == self.dropped and set(states) <= set(SETTLED)

    def states(self) -> Counter[State]:
        """Return how many deliveries are in each state."""
        history = open_history(self.place.store)
        assert history
        found = Counter(history.counts())
        history.close()
        return found

    def again(self, _number: int) -> None:
        """Wait for the end of it."""
        until(self.settled, within=60)
        check(self.place, self.wbox)
