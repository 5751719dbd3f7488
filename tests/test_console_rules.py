"""The console's pages about rules and people, and what they ask of the store."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bench.history import DAY, NOW, an_event
from consoles import House, Visitor
from office import OFFICE
from test_history_size import steps
from workplace import until

from wbox_notify.model.deliveries import Memory, Plan, PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.store import Store, open_store
from wbox_notify.templates import TemplateError, Templates
from wbox_notify.templates.budget import within

HOUR = 3600.0


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store in which the rule `disk` told two people within a day, and `old` one of them before."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('told')}/data.db")
    for number, (rule, phone, at) in enumerate(
        [
            ("old", "905550000001", NOW - 3 * DAY),
            ("disk", "905550000001", NOW - 2 * HOUR - 60),
            ("disk", "905550000002", NOW - 2 * HOUR - 60),
            ("disk", "905550000001", NOW - 60),
        ]
    ):
        event = an_event(f"{rule}{number}")
        planned = PlannedMessage(key=event.id, rule=rule, message=Text(phone=phone, message="hi"))
        silence = Memory(rule="old", kind="silence", key="", value={}, due=NOW + HOUR)
        store.put_message(
            event, Plan(event_id=event.id, messages=(planned,), memories=(silence,)), at
        ).result()
    yield store
    store.close()


def test_the_store_tells_when_a_rule_spoke_last_and_until_when_it_is_silent(told: Store) -> None:
    assert told.standing_of(["disk", "old", "new"]) == {
        "disk": (NOW - 60, None),
        "old": (NOW - 3 * DAY, NOW + HOUR),
        "new": (None, None),
    }


def test_the_store_counts_messages_by_rule_and_hour_and_by_recipient(told: Store) -> None:
    made = told.made_by(["disk", "old"], NOW - DAY, HOUR)
    assert made == {"disk": {21: 2, 23: 1}, "old": {}}
    assert told.made_for(NOW - DAY) == {"905550000001": 2, "905550000002": 1}
    assert told.made_for(NOW - 4 * DAY) == {"905550000001": 3, "905550000002": 1}
    assert told.made_for(NOW) == {}


def test_the_store_finds_the_event_of_a_rules_last_message(told: Store) -> None:
    event = told.last_event_of("disk")
    assert event
    assert event.id == "disk3"
    assert told.last_event_of("new") is None


COPIES = """
    with recursive n (n) as (select 1 union all select n + 1 from n where n < :number)
    insert into delivery (key, event_id, rule, device, recipient, state, due, created, expires, changed)
    select n, n, iif(n % 2, 'disk', 'other'), '', '905550000001', 'sent', 0, :now - 86400 * n, 0, 0 from n
"""


def ask(store: Store) -> None:
    """Ask what the pages ask of the store."""
    store.standing_of(["disk"])
    store.made_by(["disk"], NOW - 7 * DAY, HOUR)
    store.made_for(NOW - 7 * DAY)
    store.last_event_of("disk")


def test_a_long_history_of_other_rules_and_days_costs_the_pages_nothing(tmp_path: Path) -> None:
    costs = []
    for number in (100, 5_000):
        store = open_store(f"sqlite:///{tmp_path}/{number}.db")
        rows = {"number": number, "now": NOW}
        store._database.write(lambda tx, rows=rows: tx.execute(COPIES, rows)).result()
        costs.append(steps(store, lambda store=store: ask(store))[0])  # type: ignore[misc]
        store.close()
    few, many = costs
    assert many <= few + 100, f"{few} and {many}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("rules") / "project", OFFICE) as a_house:
        yield a_house


@pytest.fixture(scope="module")
def visitor(house: House) -> Visitor:
    return house.login()


def test_the_page_of_all_rules_tells_what_each_waits_for_and_says(house: House, visitor: Visitor) -> None:
    model = visitor.get("/rules.json").json()
    rules = {rule["id"]: rule for rule in model["rules"]}
    assert list(rules) == ["disk", "invoice", "evening", "morning", "asked"]
    file = {"kind": "file", "text": f"{house.folder}/drop *.pdf", "written": None}
    assert rules["invoice"]["triggers"] == [file]
    assert (rules["invoice"]["kinds"], rules["invoice"]["to"]) == (["text"], ["mehmet"])
    assert rules["disk"]["to"] == ["duty"]
    assert rules["morning"]["to"] == ["+90555***4455"]
    assert datetime.fromisoformat(rules["morning"]["next"]).weekday() < 5
    assert rules["disk"]["next"] is None
    assert (rules["evening"]["made"], rules["evening"]["hours"]) == (0, [0] * 24)
    assert model["broken"] == []


def test_a_schedule_is_in_english_words_or_as_it_is_written(visitor: Visitor) -> None:
    assert "Monday to Friday at 09:00" in visitor.get("/rules").text
    assert "hafta içi 09:00" in visitor.get("/rules", headers={"accept-language": "tr"}).text


def test_the_page_of_a_rule_shows_its_lines_without_its_secret(visitor: Visitor) -> None:
    model = visitor.get("/rules/disk.json").json()
    assert model["lines"][0]["number"] == 4
    lines = ["".join(text for _, text in line["parts"]) for line in model["lines"]]
    assert lines[0] == "  - id: disk"
    assert lines[2] == "    # secret: **************************"
    assert model["lines"][0]["parts"] == [["blank", "  - "], ["key", "id:"], ["text", " disk"]]
    html = visitor.get("/rules/disk").text
    assert "s3cret-token" not in html + str(model)
    assert "% #full" in html


def result(visitor: Visitor, rule: str, **fields: str) -> str:
    """Return what the page says would follow, as one line of text."""
    answer = visitor.press(f"/rules/{rule}", f"/rules/{rule}/try", **fields)
    assert answer.status_code == 200
    part = answer.text.partition('id="result"')[2].partition("</section>")[0]
    return " ".join(re.sub("<[^>]+>", " ", part).split())


def test_a_call_that_is_tried_shows_the_decisions_and_the_message(visitor: Visitor) -> None:
    shown = result(visitor, "disk", body='{"disk": "/var", "used": 95}')
    assert "body.used = 95" in shown
    assert "/var: 95 % #full" in shown
    assert "Nothing was stored or sent." in shown
    stopped = result(visitor, "disk", body='{"disk": "/var", "used": 5}')
    assert "stopped if if[0] body.used &gt;= 90 (body.used = 5)" in stopped
    assert "No message would be sent." in stopped


def test_what_is_tried_stays_in_the_box(visitor: Visitor) -> None:
    answer = visitor.press("/rules/disk", "/rules/disk/try", trigger="0", body='{"disk": "<b>"}')
    assert "{&#34;disk&#34;: &#34;&lt;b&gt;&#34;}</textarea>" in answer.text


def test_the_box_begins_with_the_input_of_a_test_then_with_the_last_event(
    house: House, visitor: Visitor
) -> None:
    [form] = visitor.get("/rules/disk.json").json()["forms"]
    assert json.loads(form["body"]) == {"disk": "/var", "used": 91}
    body = {"disk": "/home", "used": 99}
    call = {"method": "POST", "path": "disk", "body": body, "headers": {"x-request-id": "7"}, "query": {}}
    house.daemon.control.accept(Event(id="last", type="webhook", at=datetime.now(UTC), data=call))
    until(lambda: "/home" in str(house.wbox.messages()))
    model = visitor.get("/rules/disk.json").json()
    [form] = model["forms"]
    assert (json.loads(form["body"]), form["headers"]) == (body, "x-request-id: 7")
    assert model["last"] is not None
    [rule] = [rule for rule in visitor.get("/rules.json").json()["rules"] if rule["id"] == "disk"]
    assert (rule["made"], rule["hours"][-1] + rule["hours"][-2]) == (1, 1)


def test_a_name_that_is_no_text_breaks_no_page(house: House, visitor: Visitor) -> None:
    path = f"{house.folder}/drop/a\udcff.pdf"
    data = {"path": path, "name": "a\udcff.pdf", "size": 3, "text": "\udcfe"}
    before = len(house.wbox.messages())
    house.daemon.control.accept(Event(id="odd", type="file", at=datetime.now(UTC), data=data))
    house.wbox.wait_for(before + 1)
    [form] = visitor.get("/rules/invoice.json").json()["forms"]
    assert (form["name"], form["text"]) == ("a\udcff.pdf", "\udcfe")
    assert "a?.pdf" in visitor.get("/rules/invoice").text
    assert visitor.get("/rules.json").status_code == 200


def test_the_query_of_a_call_is_tried(visitor: Visitor) -> None:
    assert "page 2" in result(visitor, "asked", body="{}", query="page=2&shop=%C4%B1")


def test_a_digest_shows_what_it_would_send_later(visitor: Visitor) -> None:
    shown = result(visitor, "evening", body="{}")
    assert "to Ayşe Yılmaz later" in shown
    assert "1 came" in shown


def test_a_file_is_tried_without_one(visitor: Visitor) -> None:
    assert "a.pdf 700 5" in result(visitor, "invoice", name="a.pdf", size="700", text="hello")
    for name in ("a.txt", "../a.pdf", "/etc/passwd", ""):
        assert "does not take" in result(visitor, "invoice", name=name)


def test_a_schedule_is_tried_at_its_time(visitor: Visitor) -> None:
    assert "it is 09:00" in result(visitor, "morning", at="2027-01-04T09:00")
    for at in ("soon", "9999-12-31T23:59", ""):
        assert "is not a time" in result(visitor, "morning", at=at)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "the body is not JSON"),
        ("[" * 5_000, "the body is not JSON"),
        ('"' + "x" * 17_000 + '"', "more than 16 KiB"),
        ('{"used": "\\ud800"}', "failed"),
        ("[]", "failed"),
    ],
)
def test_a_hostile_body_gets_an_answer(visitor: Visitor, body: str, said: str) -> None:
    assert said in result(visitor, "disk", body=body)


def test_a_trigger_that_is_not_there_and_a_bad_header_get_an_answer(visitor: Visitor) -> None:
    assert "No message" in result(visitor, "disk", trigger="9", body='{"used": 1}')
    assert "is not a header" in result(visitor, "disk", body="{}", headers="x-y")
    assert visitor.press("/rules/disk", "/rules/disk/try").status_code == 200
    assert visitor.get("/rules/disk/try").headers["location"] == "/rules/disk"
    assert visitor.get("/rules/none").status_code == 404


def test_what_is_tried_has_little_time_in_all() -> None:
    slow = Templates().text("{% for i in range(9999) %}{{ i }}{% endfor %}")
    with within(0.0):
        for _ in range(3):
            with pytest.raises(TemplateError, match="takes too long"):
                slow.render({})
    assert slow.render({}).startswith("0123")


def test_the_tests_of_a_rule_are_run(visitor: Visitor) -> None:
    page = visitor.press("/rules/disk", "/rules/disk/tests").text
    assert "a full disk is told" in page
    assert "expected text &#39;all is well&#39;" in page
    assert page.count('class="pill bad"') == 1
    assert "text to Ayşe Yılmaz" in page


def test_a_rule_of_a_broken_file_is_shown_as_it_still_runs(house: House, visitor: Visitor) -> None:
    file = house.folder / "rules" / "files.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("match:", "mtch:"), encoding="utf-8")
    house.daemon.reload()
    model = visitor.get("/rules/invoice.json").json()
    assert model["kept"]
    assert [problem["line"] for problem in model["problems"]] == [5]
    assert not any(line["problems"] for line in model["lines"])
    assert "match:" in visitor.get("/rules/invoice").text
    rules = visitor.get("/rules.json").json()
    assert [problem["file"] for problem in rules["broken"]] == ["rules/files.yaml"]
    assert [rule["id"] for rule in rules["rules"] if rule["kept"]] == [
        "invoice",
        "evening",
        "morning",
        "asked",
    ]
    file.write_text(text, encoding="utf-8")
    house.daemon.reload()
    assert not visitor.get("/rules/invoice.json").json()["kept"]


def test_the_page_of_people_tells_who_is_on_call_and_when_each_is_quiet(visitor: Visitor) -> None:
    model = visitor.get("/people.json").json()
    ayse, mehmet = model["contacts"]
    assert (ayse["name"], ayse["phone"], ayse["tags"]) == ("Ayşe Yılmaz", "+90555***2233", ["ops"])
    assert ayse["quiet_hours"][0] == {"days": [1, 2, 3, 4, 5], "start": "22:00", "end": "07:30"}
    assert (mehmet["lang"], mehmet["zone"], mehmet["groups"]) == ("de", "Europe/Berlin", ["office"])
    [duty] = model["rotations"]
    assert duty["on_duty"] in {"Ayşe Yılmaz", "mehmet"}
    assert [turn["from"] for turn in duty["turns"]] == sorted(turn["from"] for turn in duty["turns"])
    assert (duty["turns"][0]["from"], duty["turns"][-1]["to"]) == (0, 1000)
    assert len(model["days"]) == 14
    html = visitor.get("/people").text
    assert "Mon–Fri 22:00–07:30" in html
    assert "905551112233" not in html
    assert "Pzt–Cum" in visitor.get("/people", headers={"accept-language": "tr"}).text
