"""Rounds by turns, since machines are noisy: what is compared runs in one go, and a round has its ratio."""

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

Figures = Mapping[str, float]
"""What one contender reached in one round, by name: ``per s``, ``p50`` and ``p99`` in ms, ``cpu`` in ms …"""
Contender = Callable[[], Figures]

OURS, FLOOR = "wbox_notify", "floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured. Seconds bound what depends on the machine."""

    rounds: int = 3
    seconds: float = 3.0
    calls: int = 2000
    queue: int = 20_000
    ticks: int = 200
    files: int = 100
    bursts: tuple[int, ...] = (10_000, 30_000)
    waits: float = 30.0
    history: int = 1_000_000
    rules: int = 10_000
    events: int = 40_000
    idle: float = 20.0
    line: float = 75.0
    """After these seconds no further round of a line is begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the table, as it is printed."""

    work: str
    ours: str
    floor: str = "–"
    ratio: str = "–"
    aim: str = "–"
    beside: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the cells in their order."""
        return self.work, self.ours, self.floor, self.ratio, self.aim, self.beside


HEAD = Row(work="work", ours="wbox_notify", floor="floor", ratio="ratio", aim="aim", beside="beside it")


@dataclass(frozen=True, slots=True)
class Rounds:
    """The figures of all contenders, a list of rounds for each."""

    figures: dict[str, list[Figures]] = field(default_factory=dict)

    def median(self, who: str, figure: str) -> float:
        """Return the median of a figure."""
        return statistics.median(one[figure] for one in self.figures[who])

    def ratio(self, who: str, other: str, figure: str) -> float:
        """Return the median of the rounds' ratios of a figure."""
        return statistics.median(one / base for one, base in self._pairs(who, other, figure))

    def more(self, who: str, other: str, figure: str) -> float:
        """Return the median of the rounds' differences of a figure."""
        return statistics.median(one - base for one, base in self._pairs(who, other, figure))

    def others(self) -> list[str]:
        """Return the names of the peers that took part."""
        return [name for name in self.figures if name not in {OURS, FLOOR}]

    def count(self) -> str:
        """Return how many rounds there were, where they are fewer than three."""
        number = len(self.figures[OURS])
        return f"rounds: {number}" if number < 3 else ""

    def _pairs(self, who: str, other: str, figure: str) -> Iterator[tuple[float, float]]:
        for one, base in zip(self.figures[who], self.figures[other], strict=True):
            yield one[figure], base[figure]


def in_turn(contenders: Mapping[str, Contender], size: Size) -> Rounds:
    """Let the contenders run by turns, as many rounds as the size and its limit of time allow."""
    done = Rounds({name: [] for name in contenders})
    end = time.monotonic() + size.line
    for _ in range(size.rounds):
        for name, run in contenders.items():
            done.figures[name].append(run())
        if time.monotonic() > end:
            break
    return done


def rates(work: str, done: Rounds, aim: float, note: str = "") -> Row:
    """Return the row of work whose rate is to be a share of the floor's."""
    ratio = done.ratio(OURS, FLOOR, "per s")
    peers = [
        f"{name} {done.median(name, 'per s'):,.0f}/s (x {done.ratio(OURS, name, 'per s'):.2f})"
        for name in done.others()
    ]
    return Row(
        work=work,
        ours=f"{done.median(OURS, 'per s'):,.0f}/s",
        floor=f"{done.median(FLOOR, 'per s'):,.0f}/s",
        ratio=f"{ratio:.2f}",
        aim=f"≥ {aim:g} {verdict(met=ratio >= aim)}",
        beside=_joined(done.count(), note, *peers),
    )


def delays(work: str, done: Rounds, aims: tuple[float, float], note: str = "") -> Row:
    """Return the row of work whose p50 and p99 are to be so many ms above the floor's."""
    more = [done.more(OURS, FLOOR, name) for name in ("p50", "p99")]
    met = all(one <= aim for one, aim in zip(more, aims, strict=True))
    peers = [f"{name} {_both(done, name)} ms" for name in done.others()]
    return Row(
        work=work,
        ours=f"{_both(done, OURS)} ms",
        floor=f"{_both(done, FLOOR)} ms",
        ratio=f"+ {more[0]:.1f} / + {more[1]:.1f} ms",
        aim=f"≤ + {aims[0]:g} / + {aims[1]:g} ms {verdict(met=met)}",
        beside=_joined(done.count(), note, *peers),
    )


def times(work: str, done: Rounds, figure: str, aim: float, unit: str) -> Row:
    """Return the row of work that is to take at most so many times what the floor takes."""
    ratio = done.ratio(OURS, FLOOR, figure)
    return Row(
        work=work,
        ours=f"{done.median(OURS, figure):.3g} {unit}",
        floor=f"{done.median(FLOOR, figure):.3g} {unit}",
        ratio=f"{ratio:.2f}",
        aim=f"≤ {aim:g} {verdict(met=ratio <= aim)}",
        beside=done.count(),
    )


def amount(work: str, value: float, aim: float, unit: str, beside: str = "") -> Row:
    """Return the row of an amount that is to be no larger than its aim."""
    return Row(
        work=work,
        ours=f"{value:.3g} {unit}",
        aim=f"≤ {aim:g} {unit} {verdict(met=value <= aim)}",
        beside=beside,
    )


def verdict(*, met: bool) -> str:
    """Return the sign of whether an aim is met."""
    return "✓" if met else "✗"


def _joined(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _both(done: Rounds, who: str) -> str:
    return f"{done.median(who, 'p50'):.1f} / {done.median(who, 'p99'):.1f}"
