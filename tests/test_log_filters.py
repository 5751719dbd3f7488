"""The events that ``log``, ``why`` and the console are asked for: the same ones, however they are found."""

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bench.history import NOW, an_event
from databases import Files, Postgres
from test_history_size import steps

from wbox_notify.model.deliveries import Decision, Plan, PlannedMessage
from wbox_notify.model.messages import Text
from wbox_notify.store import Store, open_store, queries
from wbox_notify.store.queries import Wanted

PHONES = ("905551110001", "905551110002", "905551110003")
RULES = ("", "disk", "site", "never")


def filled(store: Store, number: int, chance: random.Random) -> Store:
    """Fill a store with planned events: of some a rule told, of some with others, of some it failed."""
    for place in range(number):
        others = tuple({f"e{chance.randrange(place + 1)}" for _ in range(chance.randrange(3))})
        decisions = [
            Decision(
                rule=rule, stage="if", outcome=chance.choice(["passed", "stopped", "failed"]), detail="x"
            )
            for rule in chance.sample(["disk", "site"], chance.randrange(3))
        ]
        message = PlannedMessage(
            key=f"k{place}",
            rule=chance.choice(["disk", "site"]),
            message=Text(phone=chance.choice(PHONES[:2]), message="x"),
            problem=chance.choice([None, None, "no text"]),
            events=others,
        )
        messages = (message,) * chance.randrange(2)
        plan = Plan(event_id=f"e{place}", decisions=tuple(decisions[:1]), messages=messages)
        store.put_message(an_event(f"e{place}"), plan, NOW + chance.randrange(number)).result()
    return store


def test_the_few_that_an_index_knows_are_those_that_a_look_at_all_finds(
    engine: Files | Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(open_store(engine.fresh()), 60, random.Random(13))
    asked = list(
        itertools.product(RULES, [(), PHONES[:1], PHONES], [False, True], [None, NOW + 20], [0, 40], [5, 100])
    )

    def found() -> list[list[str]]:
        return [
            [row["id"] for row in store.events_where(rule=rule, recipients=to, failed=failed, since=since)]
            + [
                row["id"]
                for row in store.events_where(
                    rule=rule, recipients=to, failed=failed, until=since, after=after, most=most
                )
            ]
            for rule, to, failed, since, after, most in asked
        ]

    def pages() -> list[list[str]]:
        return [
            [
                row["id"]
                for row in store.events_before(
                    before, Wanted(rule=rule, recipients=to, failed=failed), most=7, looked_at=1000
                )[0]
            ]
            for rule, to, failed in itertools.product(RULES, [(), PHONES[:1]], [False, True])
            for before in (None, 30)
        ]

    few = found(), pages()
    monkeypatch.setattr(queries, "_FEW", -1)
    assert (found(), pages()) == few
    assert sum(map(len, few[0])) > 1000, "the filters leave something"
    store.close()


COPIES = """
    with recursive n (n) as (select 1 union all select n + 1 from n where n < :number)
    insert into event (id, type, at, data, received, planned) select 'n' || n, 'send', n, '{}', n, n from n
"""


def with_history(path: Path, number: int) -> Store:
    """Return a store with so many events that nothing came of, the newest last, and a few old ones."""
    store = filled(open_store(f"sqlite:///{path}"), 20, random.Random(13))
    age = "update event set received = seq / 1000.0"
    store._database.write(lambda tx: tx.execute(age, {})).result()
    store._database.write(lambda tx: tx.execute(COPIES, {"number": number})).result()
    return store


ASKED: dict[str, Callable[[Store], object]] = {
    "a rule": lambda store: store.events_where(rule="disk"),
    "a recipient": lambda store: store.events_where(recipients=PHONES[:1]),
    "what failed": lambda store: store.events_where(failed=True),
    "what a rule failed in": lambda store: store.events_where(rule="disk", failed=True),
    "an unknown rule": lambda store: store.events_where(rule="never"),
    "a page": lambda store: store.events_before(None, Wanted(rule="disk"), most=30, looked_at=50),
    "what came since": lambda store: store.events_where(rule="disk", after=store.last_event() - 3),
}


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Store]]:
    folder = tmp_path_factory.mktemp("histories")
    short, long = (with_history(folder / f"{number}.db", number) for number in (100, 20_000))
    yield short, long
    short.close()
    long.close()


@pytest.mark.parametrize("what", ASKED)
def test_what_is_rare_is_found_at_once_however_long_the_history_is(
    histories: tuple[Store, Store], what: str
) -> None:
    short, long = (steps(store, lambda store=store: ASKED[what](store))[0] for store in histories)  # type: ignore[misc]
    assert long <= 1.5 * short + 20, f"{short} and {long}"


def test_a_page_of_what_is_rare_holds_all_of_it(histories: tuple[Store, Store]) -> None:
    found, further = histories[1].events_before(None, Wanted(failed=True), most=30, looked_at=50)
    assert len(found) == len(histories[1].events_where(failed=True)) > 5
    assert further is None
