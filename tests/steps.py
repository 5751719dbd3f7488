"""A daemon's planner and dispatcher over a real store and wbox, with a clock that tests set."""

from datetime import UTC, datetime
from pathlib import Path

from workplace import a_live

from wbox_notify.clients.wbox import Client
from wbox_notify.daemon.planner import Planner
from wbox_notify.dispatch import Dispatcher
from wbox_notify.model.deliveries import OPEN, State
from wbox_notify.model.events import Event
from wbox_notify.model.pace import Pace
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Live, Project
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_store

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC).timestamp()
_BUSY, _BEGAN = 0.02, 1000.0
PACE = Pace(every=3.0, recipient_every=10.0)

RULES = """
version: 1
contacts:
  a: "+905551110001"
  b: "+905551110002"
rules:
  - id: plain
    trigger: {webhook: {path: plain, open: true}}
    to: a
    send: {text: "{{ body.n }}"}
  - id: group
    trigger: {webhook: {path: group, open: true}}
    group: {by: body.by, wait: 30s, interval: 1m}
    to: a
    send: {text: "group {{ group.items | map(attribute='body.n') | join(' ') }}"}
  - id: throttle
    trigger: {webhook: {path: throttle, open: true}}
    throttle: {max: 1, per: 1m, overflow: queue}
    to: a
    send: {text: "throttle {{ body.n }}"}
  - id: dedupe
    trigger: {webhook: {path: dedupe, open: true}}
    dedupe: {key: body.key, for: 2m}
    to: a
    send: {text: "dedupe {{ body.n }}"}
  - id: escalate
    trigger: {webhook: {path: escalate, open: true}}
    to: a
    send: {text: "escalate {{ body.n }}"}
    escalate: [{after: 2m, unless: acked, to: b, send: {text: "nobody answers {{ body.n }}"}}]
  - id: digest
    trigger: {webhook: {path: digest, open: true}}
    digest: {every: 5m}
    to: a
    send: {text: "digest {% for one in events %}{{ one.body.n }} {% endfor %}"}
  - id: quiet
    trigger: {webhook: {path: quiet, open: true}}
    quiet_hours: "22:00-07:00"
    to: a
    send: {text: "quiet {{ body.n }}"}
"""


def the_project(folder: Path) -> Project:
    """Return a project with the rules above."""
    (folder / "rules").mkdir(parents=True, exist_ok=True)
    (folder / "rules" / "all.yaml").write_text(RULES)
    (folder / "wbox-notify.yaml").write_text("version: 1\ndefaults: {tz: UTC}\n")
    loaded = load(folder, {"WBOX_API_KEY": "sk_x"})
    assert [problem.message for problem in loaded.problems if problem.severity == "error"] == []
    return loaded


class House:
    """What stores, plans and sends, moved by hand: ``wall`` can be set, ``ran`` only grows with ``run``."""

    def __init__(self, folder: Path, wbox: Simulator) -> None:
        self.wall, self.ran = NOON, _BEGAN
        self.project = the_project(folder)
        self.client = Client(wbox.url, "sk_test")
        self._address = f"sqlite:///{folder}/wbox.db"
        self._wbox = wbox
        self._told = len(wbox.messages())
        self._events = 0
        self.store = open_store(self._address)
        self._begin()

    def _begin(self) -> None:
        self.dispatcher = Dispatcher(
            self.store,
            a_live(pace=PACE),
            clock=lambda: self.wall,
            steady=lambda: self.ran,
        )
        self.planner = Planner(
            Live(self.project),
            self.store,
            clock=lambda: self.wall,
            steady=lambda: self.ran,
        )
        self.dispatcher.mind_the_clock()

    def restart(self, off: float = 0.0) -> None:
        """End all of it and start it again after some seconds."""
        self.store.close()
        self.wall += off
        self.ran += off
        self.store = open_store(self._address)
        self._begin()

    @property
    def right(self) -> float:
        """What the clock would show if nobody had set it."""
        return NOON + self.ran - _BEGAN

    def close(self) -> None:
        """End all of it."""
        self.client.close()
        self.store.close()

    def happen(self, rule: str, n: int = 0, **about: object) -> None:
        """Store an event for a rule, now."""
        self._events += 1
        data = {"path": rule, "method": "POST", "headers": {}, "query": {}, "body": {"n": n, **about}}
        at = datetime.fromtimestamp(self.wall, UTC)
        event = Event(id=f"e{self._events}", type="webhook", at=at, data=data)
        self.store.put_events([event], self.wall).result()

    def look(self) -> None:
        """Do what there is to do now, as the threads of a daemon do; they must come to rest."""
        while self.planner.step():
            pass
        for _ in range(1000):
            pause = self.dispatcher.round(self.client)
            if pause > _BUSY:
                return
            self.wall += pause
            self.ran += pause
        raise AssertionError("it never rests")

    def run(self, seconds: float, every: float = 5.0) -> None:
        """Let time pass, and look now and then."""
        self.look()
        until = self.ran + seconds
        while self.ran < until:
            step = min(every, until - self.ran)
            self.wall += step
            self.ran += step
            self.look()

    def said(self) -> list[str]:
        """Return the texts that wbox took, in their order."""
        return [one["body"]["message"] for one in self._wbox.messages()[self._told :]]

    def waits(self) -> int:
        """Return how many deliveries wait."""
        return sum(self.store.counts(OPEN).values())

    def expired(self) -> int:
        """Return how many deliveries were not sent in time."""
        return self.store.counts([State.EXPIRED]).get(State.EXPIRED, 0)
