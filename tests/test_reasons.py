"""Why a delivery waits or is left out: a code with its facts in the store, and a text in two languages."""

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wbox_notify.model import reasons
from wbox_notify.model.deliveries import Delivery, Hold, LeftOut, State
from wbox_notify.model.outcomes import Outcome
from wbox_notify.store import open_store
from wbox_notify.store.migrations import MIGRATIONS

_BEFORE_CODES = next(number for number, text in enumerate(MIGRATIONS) if "left_out" in text)

GONE = "the rule r is gone, and 1 event of its group waits: put it right and `queue release`, or `queue drop`"

FACTS: Mapping[Hold | LeftOut, Mapping[str, Any]] = {
    Hold.STORM: {"messages": 51},
    Hold.ROWS: {"file": "a;b.csv"},
    Hold.UNKNOWN: {"delivery": 7},
    Hold.SAME_KEY: {"delivery": 7},
    Hold.RULE_GONE: {"rule": "r", "kind": "quiet_hours", "number": 2},
    Hold.READER_GONE: {"reader": "ayse", "kind": "digest", "number": 1},
    LeftOut.SAME_TEXT: {"seconds": 12},
    LeftOut.BACKLOG: {"delivery": 7},
    LeftOut.BY_HAND: {},
    LeftOut.UNKNOWN: {},
    LeftOut.DONE: {},
}

WRITTEN_BEFORE = [
    ("held", "storm guard: 51 messages at once", Hold.STORM, "storm guard: 51 messages at once"),
    (
        "held",
        "storm guard: counted with all rows of a;b.csv",
        Hold.ROWS,
        "storm guard: counted with all rows of a;b.csv",
    ),
    ("held", "may have been sent: no answer", Hold.UNKNOWN, "may have been sent: no answer"),
    ("held", "may have been sent in delivery 7", Hold.UNKNOWN, "may have been sent in delivery 7"),
    (
        "held",
        "delivery 7 has the same key and says something else",
        Hold.SAME_KEY,
        "delivery 7 has the same key and says something else",
    ),
    ("held", GONE, None, GONE),
    (
        "cancelled",
        "the same text went out 12 s before",
        LeftOut.SAME_TEXT,
        "the same text was sent 12 s before",
    ),
    ("cancelled", "told in delivery 7", LeftOut.BACKLOG, "sent with delivery 7"),
    ("cancelled", "dropped by hand", LeftOut.BY_HAND, "dropped by hand"),
    ("cancelled", "done after all: no field x", LeftOut.DONE, "done after all: no field x"),
    ("cancelled", "may have been sent: no answer", LeftOut.UNKNOWN, "may have been sent: no answer"),
    ("cancelled", "may have been sent in delivery 7", LeftOut.UNKNOWN, "may have been sent in delivery 7"),
    ("expired", "was not sent in time", None, "not sent in time"),
    ("expired", "was not sent in time: HTTP 503", None, "not sent in time: HTTP 503"),
    ("unknown", "may have been sent: no answer", None, "may have been sent: no answer"),
    ("dead", "no such chat", None, "no such chat"),
]


def old_store(path: Path, *rows: str) -> str:
    """Write a store as it was before codes; return its address."""
    connection = sqlite3.connect(path)
    connection.execute("create table schema_version (version integer not null)")
    for number, script in enumerate(MIGRATIONS[:_BEFORE_CODES], start=1):
        connection.executescript(script.replace("$key", "integer primary key"))
        connection.execute("insert into schema_version values (?)", (number,))
    for row in rows:
        connection.execute(row)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def a_delivery(**fields: Any) -> Delivery:
    known: dict[str, Any] = {"id": 1, "key": "k", "event_id": "e", "rule": "r", "device": "", "message": None}
    return Delivery(**known, due=0.0, created=0.0, expires=1.0, **fields)


@pytest.mark.parametrize("lang", ["en", "tr"])
@pytest.mark.parametrize("code", FACTS, ids=repr)
def test_every_code_has_a_text_in_both_languages(code: Hold | LeftOut, lang: str) -> None:
    facts = FACTS[code]
    if isinstance(code, Hold):
        text = reasons.why(a_delivery(state=State.HELD, hold=code, facts=facts), lang)
    else:
        text = reasons.why(a_delivery(state=State.CANCELLED, left_out=code, facts=facts), lang)
    assert text
    assert "{" not in text
    assert all(str(fact) in text for name, fact in facts.items() if name != "kind")


def test_a_language_without_texts_is_told_in_english() -> None:
    assert reasons.circuit(Outcome.NOT_READY, "de") == reasons.circuit(Outcome.NOT_READY)
    assert reasons.why(a_delivery(state=State.QUEUED, reason="HTTP 500"), "de") == "HTTP 500"
    assert reasons.circuit(Outcome.FAILED) == "failed"


def test_what_expired_in_doubt_says_so() -> None:
    delivery = a_delivery(state=State.EXPIRED, unknowns=1, reason="no answer")
    assert reasons.why(delivery) == "not sent in time: may have been sent: no answer"


def test_S14_reasons_of_an_older_store_are_read_as_codes(tmp_path: Path) -> None:
    columns = "key, event_id, rule, device, recipient, state, reason, due, created, expires, changed"
    url = old_store(
        tmp_path / "data.db",
        *(
            f"insert into delivery ({columns}) values ('{number}', 'e', 'r', '', '', '{state}', '{reason}',"
            " 1, 1, 1, 1)"
            for number, (state, reason, _, _) in enumerate(WRITTEN_BEFORE)
        ),
    )
    store = open_store(url)
    deliveries = store.deliveries("e")
    assert [delivery.hold or delivery.left_out for delivery in deliveries] == [
        code for _, _, code, _ in WRITTEN_BEFORE
    ]
    assert [reasons.why(delivery) for delivery in deliveries] == [text for *_, text in WRITTEN_BEFORE]
    store.close()


def test_S14_an_older_memory_knows_its_events_and_an_older_file_its_place(tmp_path: Path) -> None:
    value = json.dumps({"opened": "a", "items": {"x": {"event_id": "a"}, "y": {"event_id": "b"}}})
    url = old_store(
        tmp_path / "data.db",
        f"insert into memory (rule, kind, key, value, due) values ('r', 'group', 'k', '{value}', 5.0)",
        "insert into memory (rule, kind, key, value) values ('-', 'number', '', '12')",
        "insert into file (event_id, path, fate, detail, changed, looked) values"
        " ('a', x'2f61', 'done', 'moved to /done/a', 1, 1), ('b', x'2f62', 'left', 'moved to x', 1, 1)",
    )
    store = open_store(url)
    [memory] = store.memories_due(5.0)
    assert memory.event_id == "a"
    rows = store._database.read("select event_id, key from memory_event order by event_id")
    assert [tuple(row) for row in rows] == [("a", "k"), ("b", "k")]
    rows = store._database.read("select moved_to, detail from file order by event_id")
    assert [tuple(row) for row in rows] == [(b"/done/a", ""), (None, "moved to x")]
    store.close()
