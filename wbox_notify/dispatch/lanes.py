"""Lanes: what waits, in memory, and whose turn it is. It reads and writes nothing; time is an argument."""

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush

from wbox_notify.model.deliveries import Circuit, Place, State, Waiting
from wbox_notify.model.messages import APPRISE
from wbox_notify.model.pace import DAY, Begun

ALL = "*"
"""The key of the circuit of all devices: the API key or wbox itself fails."""

BEGIN: Place = (-(2**31), 0)
"""The place before all others."""
END: Place = (1, 0)
"""The place behind all others."""

_MOST_OF_A_LANE, _MOST_OF_A_DEVICE = 200, 2000
"""In memory; what comes behind them is left to the store."""


class _Lane:
    """What waits for one recipient of a device, in its order.

    Attributes:
        turn: When the recipient may get the next message.
        sending: The ids of what is being sent to them.
        listed: The place under which the lane is on its device's list of those that are ready.
        look: When it is to be looked at again.
        is_cut: Whether more waits in the store behind what is here.
    """

    __slots__ = ("_waiting", "is_cut", "listed", "look", "sending", "turn")

    def __init__(self) -> None:
        self._waiting: list[Waiting] = []
        self.is_cut = False
        self.turn = 0.0
        self.sending: set[int] = set()
        self.listed: Place | None = None
        self.look = math.inf

    @property
    def size(self) -> int:
        """How many wait in it."""
        return len(self._waiting)

    def add(self, waiting: Waiting) -> bool:
        """Put a delivery at its place; False where that lies too far behind."""
        is_last = not self._waiting or waiting.place > self._waiting[-1].place
        self.is_cut = self.is_cut or (is_last and len(self._waiting) >= _MOST_OF_A_LANE)
        if self.is_cut and is_last:
            return False
        insort(self._waiting, waiting, key=_place)
        return True

    def has_run_out(self, now: float) -> bool:
        """Return whether what goes next is in the store alone, as all that is here is over."""
        return self.is_cut and all(waiting.expires <= now for waiting in self._waiting)

    def remove(self, waiting: Waiting) -> None:
        """Take a delivery out."""
        del self._waiting[bisect_left(self._waiting, waiting.place, key=_place)]

    def is_used(self, now: float) -> bool:
        """Return whether there is anything to keep in mind."""
        return bool(self._waiting or self.sending or self.turn > now or self.is_cut)

    def ready(self, now: float) -> Waiting | None:
        """Return what may go now."""
        if self.sending or self.turn > now:
            return None
        first = next(reversed(self._fronts(now)), None)
        return first if first and first.due <= now else None

    def next_look(self, now: float) -> float:
        """Return when what may go can change without anything being done."""
        if self.sending:
            return math.inf
        times = (max(min(front.due, front.expires), self.turn) for front in self._fronts(now))
        return min((time for time in times if time > now), default=math.inf)

    def _fronts(self, now: float) -> list[Waiting]:
        """Return what is in doubt and waits, and as the last the first that does not, if there is one.

        Behind what may have arrived, only messages of the same rule keep their order: 'all is well' must not
        come before the repeated 'there is a fire'.
        """
        fronts: list[Waiting] = []
        for waiting in self._waiting:
            if waiting.expires <= now or any(waiting.rule == front.rule for front in fronts):
                continue
            fronts.append(waiting)
            if waiting.state is not State.UNKNOWN or waiting.due <= now:
                break
        return fronts


def _place(waiting: Waiting) -> Place:
    return waiting.place


class _Device:
    """The lanes of a device.

    Attributes:
        lanes: One for each recipient.
        turn: When the device may send the next message.
        sending: How many messages are being sent.
        waiting: How many wait in the lanes.
        begun: The attempts of a day up to now, the newest first; None where they are not known.
        is_new: Whether nothing is known of it yet but its name.
        end: The place up to which all that waits in the store is in the lanes.
        last: The last place that has ever been in them.
        cut: The recipients of whom more waits in the store than is in their lanes.
        listed: The place under which it is on the list of devices that have something to send.
        look: When it is to be looked at again.
    """

    def __init__(self) -> None:
        self.lanes: dict[str, _Lane] = {}
        self.turn = 0.0
        self.sending = self.waiting = 0
        self.begun: deque[Begun] | None = None
        self.is_new = True
        self.cut: set[str] = set()
        self.end = self.last = BEGIN
        self.listed: Place | None = None
        self.look = math.inf
        self._ready: list[tuple[Place, str]] = []
        self._looks: list[tuple[float, str]] = []
        self._most_lanes = _MOST_OF_A_DEVICE

    def lane(self, recipient: str) -> _Lane:
        """Return the lane of a recipient."""
        return self.lanes.setdefault(recipient, _Lane())

    def first(self, now: float) -> Waiting | None:
        """Return what may go now: critical first, then the oldest."""
        while self.next_look() <= now:
            _, recipient = heappop(self._looks)
            self.lane(recipient).look = math.inf
            self.line_up(recipient, now)
        while self._ready:
            place, recipient = self._ready[0]
            lane = self.lane(recipient)
            waiting = lane.ready(now)
            if waiting and waiting.place == place:
                return waiting
            heappop(self._ready)
            if lane.listed == place:
                lane.listed = None
                self.line_up(recipient, now)
        return None

    def may_send(self, now: float, most: int) -> bool:
        """Return whether it may send by its turn and with no more than so many messages under way."""
        return self.turn <= now and self.sending < most

    def first_to_try(self, now: float) -> Waiting | None:
        """Return what was tried least of what may go now, as the fault may be a message's own."""
        ready = (waiting for lane in self.lanes.values() if (waiting := lane.ready(now)))
        return min(ready, key=lambda waiting: (waiting.claims, waiting.place), default=None)

    def next_look(self) -> float:
        """Return when a lane is to be looked at again."""
        while self._looks:
            time, recipient = self._looks[0]
            if self.lane(recipient).look == time:
                return time
            heappop(self._looks)
        return math.inf

    def line_up(self, recipient: str, now: float) -> None:
        """Put a lane on the lists, after a change in it."""
        lane = self.lane(recipient)
        waiting = lane.ready(now)
        if waiting and lane.listed != waiting.place:
            lane.listed = waiting.place
            heappush(self._ready, (waiting.place, recipient))
        look = lane.next_look(now)
        if look not in (math.inf, lane.look):
            heappush(self._looks, (look, recipient))
        lane.look = look

    def sweep(self, now: float) -> None:
        """Forget lanes in which nothing waits, where they have become many."""
        if len(self.lanes) < self._most_lanes:
            return
        used = {name: lane for name, lane in self.lanes.items() if lane.is_used(now)}
        self.lanes = used
        self._most_lanes = max(2 * len(used), _MOST_OF_A_DEVICE)


class Lanes:
    """For each device the first of what waits, with the turns of device and recipients.

    Of each device a part of the queue is here, read from the store in slices; what comes behind that part is
    left there. Where it is doubtful whether the store says the same, a device is forgotten and read anew.

    Attributes:
        ours: The devices through which we may send; what waits for others stays in the store.
        is_new: Whether it is not known which devices there are.
    """

    def __init__(self, ours: Container[str]) -> None:
        self.ours = ours
        self.is_new = True
        self._circuits: Sequence[Circuit] = ()
        self._most = 1
        self._devices: dict[str, _Device] = {}
        self._waiting: dict[int, Waiting] = {}
        self._cut: set[str] = set()
        # A thousand devices are not looked at for each message: these lists have those that it may be about.
        self._ready: list[tuple[Place, str]] = []
        self._looks: list[tuple[float, str]] = []
        self._short: dict[str, None] = {}
        self._are_listed = True

    @property
    def circuits(self) -> Sequence[Circuit]:
        """The devices that cannot send."""
        return self._circuits

    @circuits.setter
    def circuits(self, circuits: Sequence[Circuit]) -> None:
        self._are_listed = self._are_listed and self._circuits == circuits
        self._circuits = circuits

    @property
    def most(self) -> int:
        """How many messages of one device may be under way."""
        return self._most

    @most.setter
    def most(self, most: int) -> None:
        self._are_listed = self._are_listed and self._most == most
        self._most = most

    # What is known of the store

    def meet(self, names: Iterable[str]) -> None:
        """Learn which devices something waits for."""
        self.is_new = False
        self._begin_with({name: _Device() for name in names if name in self.ours})

    def learn(self, name: str, turns: Mapping[str, float], sending: Iterable[tuple[int, str]]) -> None:
        """Learn the turns of a device and its recipients, '' being the device, and what is being sent."""
        device = self._device(name)
        device.is_new = False
        device.turn = turns.get("", 0.0)
        for recipient, turn in turns.items():
            device.lane(recipient).turn = turn
        for number, recipient in sending:
            device.lane(recipient).sending.add(number)
            device.sending += 1

    def extend(self, name: str, waiting: Sequence[Waiting], most: int, now: float) -> None:
        """Add the next slice of what the store holds of a device; one of less than ``most`` is the last."""
        device = self._device(name)
        for each in waiting:
            if each.state is not State.SENDING:
                self._insert(device, each, now)
        device.end = waiting[-1].place if len(waiting) == most else END
        self._line_up(name, now)

    def add(self, waiting: Waiting, now: float) -> None:
        """Add one that was put into the store, unless it is known or lies behind what is here."""
        device = self._device(waiting.device)
        if waiting.place > device.end:
            return
        if device.end == END and waiting.place > device.last and device.waiting >= _MOST_OF_A_DEVICE:
            device.end = device.last
        else:
            self._insert(device, waiting, now)
        self._line_up(waiting.device, now)

    def _insert(self, device: _Device, waiting: Waiting, now: float) -> None:
        lane = device.lane(waiting.recipient)
        if waiting.id in self._waiting or waiting.id in lane.sending:
            return
        device.last = max(device.last, waiting.place)
        if waiting.expires <= now:  # it goes no more, and must not take the place of what does
            return
        added = lane.add(waiting)
        if lane.is_cut:
            device.cut.add(waiting.recipient)
            self._cut.add(waiting.device)
        if added:
            device.waiting += 1
            self._waiting[waiting.id] = waiting
            device.line_up(waiting.recipient, now)

    def remove(self, number: int, now: float) -> None:
        """Take out one that waits no more."""
        if waiting := self._waiting.pop(number, None):
            device = self._device(waiting.device)
            lane = device.lane(waiting.recipient)
            device.waiting -= 1
            lane.remove(waiting)
            device.line_up(waiting.recipient, now)
            self._line_up(waiting.device, now)

    def doubt(self) -> None:
        """Forget all devices."""
        self.is_new, self._waiting = True, {}
        self._begin_with({})

    def doubt_what_ran_out(self, now: float) -> None:
        """Forget devices of which something goes next that is in the store alone."""
        for name in list(self._cut):
            device = self._device(name)
            if any(device.lane(recipient).has_run_out(now) for recipient in device.cut):
                self.doubt_device(name)

    def doubt_device(self, name: str) -> None:
        """Forget what is known of a device."""
        if self._device(name).waiting:
            others = {number: other for number, other in self._waiting.items() if other.device != name}
            self._waiting = others
        self._devices[name] = _Device()
        self._short[name] = None
        self._cut.discard(name)

    def forget_others(self) -> None:
        """Forget what is known of devices that are not ours."""
        others = [name for name in self._devices if name not in self.ours]
        if any(self._devices[name].waiting for name in others):
            waiting = self._waiting.items()
            self._waiting = {number: each for number, each in waiting if each.device in self.ours}
        for name in others:
            del self._devices[name]
            self._cut.discard(name)
        self._are_listed = False

    def is_doubtful(self, name: str) -> bool:
        """Return whether a device is to be read anew."""
        return self.is_new or self._device(name).is_new

    def wanted(self, now: float, recipient: str = "") -> str | None:
        """Return a device of which more is to be read before it is known whose turn it is."""
        self._line_up_due(now)
        names = self._devices if recipient else [*self._short, *self._troubled()]
        for name, device in self._open(names, now):
            if device.is_new:
                return name
            first = self._first_of(name, device, now, recipient)
            better = first is None or (self._is_tried(name) and first.claims)
            if device.end != END and better:
                return name
        return None

    def read_up_to(self, name: str) -> Place:
        """Return the place up to which all that waits for a device is here."""
        return self._device(name).end

    def begun(self, name: str) -> deque[Begun] | None:
        """Return the attempts of a day of a device, the newest first; None where they are to be read."""
        return self._device(name).begun

    def remember(self, name: str, begun: deque[Begun] | None) -> None:
        """Keep the attempts of a day, to be counted from now on; None where they are not counted."""
        self._device(name).begun = begun

    def may_be_long(self, waiting: Waiting, most: int) -> bool:
        """Return whether more than so many may wait for a recipient, with this one."""
        device = self._device(waiting.device)
        return device.end != END or device.lane(waiting.recipient).size > most

    # Whose turn it is

    def first(self, now: float, recipient: str = "") -> Waiting | None:
        """Return what goes next of all devices: critical first, then the oldest; to a recipient if named."""
        self._line_up_due(now)
        names = self._devices if recipient else self._troubled()
        firsts = [self._first_of(name, device, now, recipient) for name, device in self._open(names, now)]
        if not recipient:
            firsts.append(self._first_listed(now))
        return min((first for first in firsts if first), key=_place, default=None)

    def next_due(self, now: float) -> float:
        """Return when a device has its next turn."""
        self._line_up_due(now)
        if self._first_listed(now):
            return now
        open_ = self._open([*self._short, *self._troubled()], math.inf)
        times = [max(self._due(device, now), device.turn) for _, device in open_]
        return min([*times, self._next_look()])

    def begin(self, waiting: Waiting, now: float, *, paced: bool) -> None:
        """Note that one is claimed; the device waits for ``take_turns`` where there is a pace."""
        device = self._device(waiting.device)
        device.lane(waiting.recipient).sending.add(waiting.id)
        device.sending += 1
        if paced:
            device.turn = math.inf
        self.remove(waiting.id, now)

    def take_turns(self, waiting: Waiting, turns: tuple[float, float] | None, now: float) -> None:
        """Keep when the device and the recipient of a claim that was written have their next turns."""
        device = self._device(waiting.device)
        lane = device.lane(waiting.recipient)
        device.turn, lane.turn = turns or (0.0, lane.turn)
        if turns and device.begun is not None:
            device.begun.appendleft(Begun(now, waiting.recipient))
            while device.begun[-1].at <= now - DAY:
                device.begun.pop()
        self._line_up(waiting.device, now)

    def end(self, claimed: Waiting, again: Waiting | None, now: float) -> None:
        """Note that a claim is over; ``again`` is what waits of it."""
        device = self._device(claimed.device)
        lane = device.lane(claimed.recipient)
        if claimed.id in lane.sending:
            lane.sending.remove(claimed.id)
            device.sending -= 1
        if again:
            self.add(again, now)
        device.line_up(claimed.recipient, now)
        device.sweep(now)
        self._line_up(claimed.device, now)

    def _device(self, name: str) -> _Device:
        if name not in self._devices:
            self._devices[name] = _Device()
            self._short[name] = None
        return self._devices[name]

    def _open(self, names: Iterable[str], now: float) -> Iterator[tuple[str, _Device]]:
        """Yield those of some devices that may send."""
        for name in names:
            device = self._devices[name]
            if name in self.ours and device.may_send(now, self._most) and not self._is_held(name):
                yield name, device

    # The lists of devices

    def _begin_with(self, devices: dict[str, _Device]) -> None:
        """Know these devices and nothing of them."""
        self._devices = devices
        self._short = dict.fromkeys(devices)
        self._cut, self._ready, self._looks = set(), [], []

    def _troubled(self) -> Collection[str]:
        """Return the devices that a circuit is about, which are not on the lists."""
        named = {circuit.device for circuit in self._circuits}
        return self._devices.keys() if ALL in named else self._devices.keys() & named

    def _line_up(self, name: str, now: float) -> None:
        """Put a device on the lists, after a change in it."""
        device = self._devices[name]
        may_send = device.may_send(now, self._most)
        first = device.first(now) if may_send else None
        if may_send and first is None and device.end != END:
            self._short[name] = None
        else:
            self._short.pop(name, None)
        if first and device.listed != first.place:
            heappush(self._ready, (first.place, name))
        device.listed = first.place if first else None
        look = self._look_of(device, now)
        if look not in (math.inf, device.look):
            heappush(self._looks, (look, name))
        device.look = look

    def _look_of(self, device: _Device, now: float) -> float:
        """Return when what a device may send can change without anything being done."""
        if device.sending >= self._most:
            return math.inf
        if device.turn > now:
            return max(self._due(device, now), device.turn)
        return device.next_look()

    def _line_up_due(self, now: float) -> None:
        """Bring the lists up to now."""
        if not self._are_listed:
            self._are_listed = True
            self._ready, self._looks, self._short = [], [], {}
            for name, device in self._devices.items():
                device.listed, device.look = None, math.inf
                self._line_up(name, now)
        while self._next_look() <= now:
            _, name = heappop(self._looks)
            self._devices[name].look = math.inf
            self._line_up(name, now)

    def _next_look(self) -> float:
        """Return when a device that no circuit is about is to be looked at again."""
        while self._looks:
            time, name = self._looks[0]
            device = self._devices.get(name)
            if device and device.look == time and self._is_free(name):
                return time
            heappop(self._looks)
        return math.inf

    def _first_listed(self, now: float) -> Waiting | None:
        """Return what goes next of the devices that no circuit is about."""
        while self._ready:
            place, name = self._ready[0]
            device = self._devices.get(name)
            first = device.first(now) if device and device.may_send(now, self._most) else None
            if first and first.place == place and self._is_free(name):
                return first
            heappop(self._ready)
            if device and device.listed == place:
                device.listed = None
                if self._is_free(name):
                    self._line_up(name, now)
        return None

    def _is_free(self, name: str) -> bool:
        """Return whether a device is ours and no circuit is about it."""
        return name in self.ours and not any(_holds(circuit, name) for circuit in self._circuits)

    # Circuits

    def _is_held(self, name: str) -> bool:
        """Return whether a device cannot send, or is tried by a message that is under way."""
        return any(
            not circuit.trying or self._sends(circuit.device)
            for circuit in self._circuits
            if _holds(circuit, name)
        )

    def _sends(self, name: str) -> bool:
        """Return whether a message of a device, or of any, is under way."""
        return any(device.sending for other, device in self._devices.items() if name in {other, ALL})

    def _is_tried(self, name: str) -> bool:
        return any(circuit.trying for circuit in self._circuits if _holds(circuit, name))

    def _first_of(self, name: str, device: _Device, now: float, recipient: str) -> Waiting | None:
        if recipient:
            lane = device.lanes.get(recipient)
            return lane.ready(now) if lane else None
        if self._is_tried(name):
            return device.first_to_try(now)
        return device.first(now)

    @staticmethod
    def _due(device: _Device, now: float) -> float:
        if device.first(now):
            return now
        if device.end != END:
            return -math.inf
        return device.next_look()


def _holds(circuit: Circuit, name: str) -> bool:
    return name != APPRISE and circuit.device in {name, ALL}
