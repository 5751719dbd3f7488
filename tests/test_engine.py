"""The engine: what an event calls for, and why nothing was sent when nothing was."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wbox_notify.engine import Overlay, plan
from wbox_notify.model.deliveries import Plan
from wbox_notify.model.events import Event
from wbox_notify.model.messages import CalendarEvent, Media, Poll, Text
from wbox_notify.model.redaction import learn
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


class Nothing:
    """A memory in which nothing is."""

    def remembered(self, rule: str, kind: str, key: str) -> Mapping[str, Any] | None:
        del rule, kind, key
        return None

    def sent(self, prefix: str) -> bool:
        del prefix
        return False


def a_file(path: str, name: str = "a.txt", event: str = "file:1", **data: Any) -> Event:
    stem, dot, ext = name.rpartition(".")
    facts = {"name": name, "stem": stem or name, "ext": dot + ext, "folder": path, "size": 10, "mtime": 1.0}
    return Event(id=event, type="file", at=NOW, data={"path": f"{path}/{name}", **facts, **data})


Loaded = Callable[[str], Project]


@pytest.fixture
def project(tmp_path: Path) -> Loaded:
    """Return a function that loads a project of one rule file, whose folder is ``drop``."""

    def made(rules: str) -> Project:
        (tmp_path / "rules").mkdir(exist_ok=True)
        (tmp_path / "rules" / "r.yaml").write_text("version: 1\n" + rules)
        (tmp_path / "wbox-notify.yaml").write_text(
            "version: 1\ndefaults: {tz: Europe/Istanbul, region: TR}\n"
        )
        loaded = load(tmp_path, {"WBOX_API_KEY": "sk_x"})
        assert [problem.message for problem in loaded.problems if problem.severity == "error"] == []
        return loaded

    return made


def why(made: Plan) -> list[tuple[str, str, str]]:
    return [(decision.stage, decision.outcome, decision.detail) for decision in made.decisions]


def dropped(project: Project, event: Event, memory: Any = None) -> Plan:
    return plan(project, event, memory or Overlay(Nothing()), NOW)


def at(project: Project) -> str:
    return str(project.settings.folder / "drop")


ALL_KINDS = """
contacts:
  me: {name: Ayşe, phone: "+90 555 123 45 67"}
rules:
  - id: all
    trigger: {file: {path: drop}}
    to: [me, "0555 123 45 68", me]
    send:
      - text: "{{ file.name }} for {{ contact.name }} at {{ now | time }}"
      - media: {url: "https://x.org/{{ file.name }}", caption: "{{ file.stem }}"}
      - event: {title: "{{ file.stem }}", start: "2026-12-01T14:00"}
        device: 2
      - poll: {question: "{{ file.stem }}?", options: ["yes", "no"]}
"""


def test_each_recipient_gets_each_message_once_in_the_zone_of_the_project(project: Loaded) -> None:
    loaded = project(ALL_KINDS)
    made = dropped(loaded, a_file(at(loaded)))
    messages = [planned.message for planned in made.messages]
    assert messages[:4] == [
        Text(phone="905551234567", message="a.txt for Ayşe at 12:30"),
        Media(phone="905551234567", url="https://x.org/a.txt", caption="a"),
        CalendarEvent(phone="905551234567", title="a", start="2026-12-01T14:00", device_id=2),
        Poll(phone="905551234567", question="a?", options=("yes", "no")),
    ]
    assert [message.phone for message in messages if message] == ["905551234567"] * 4 + ["905551234568"] * 4
    assert why(made) == [("send", "passed", "8 messages")]
    assert len({planned.key for planned in made.messages}) == 8


def test_planning_the_same_event_again_gives_the_same_plan(project: Loaded) -> None:
    loaded = project(ALL_KINDS)
    event = a_file(at(loaded))
    assert dropped(loaded, event) == dropped(loaded, event)


ONE = """
rules:
  - id: one
    trigger: {{file: {{path: drop, match: "*.txt"}}}}
    {more}
    to: "+90 555 123 45 67"
    send: {{text: "{text}"}}
"""


def test_each_condition_says_whether_it_holds_with_the_values_it_saw(project: Loaded) -> None:
    loaded = project(ONE.format(more='if: [file.size > 5, file.size > 100 and file.name != "x"]', text="hi"))
    made = dropped(loaded, a_file(at(loaded)))
    assert made.messages == ()
    assert why(made) == [
        ("if", "passed", "if[0] file.size > 5 (file.size = 10)"),
        (
            "if",
            "stopped",
            """if[1] file.size > 100 and file.name != "x" (file.size = 10, file.name = 'a.txt')""",
        ),
    ]


def test_what_a_condition_saw_is_kept_short_and_without_secrets(project: Loaded) -> None:
    learn("hunter2-canary")
    loaded = project(ONE.format(more="if: file.text", text="hi"))
    for text in ("x" * 100_000, "x" * 193 + "hunter2-canary"):
        [(_, outcome, detail), *_] = why(dropped(loaded, a_file(at(loaded), text=text)))
        assert outcome == "passed"
        assert len(detail) < 500
        assert "hunter2" not in detail


def test_a_file_that_no_rule_wants_leaves_no_trace(project: Loaded) -> None:
    loaded = project(ONE.format(more="", text="hi"))
    assert dropped(loaded, a_file(at(loaded), "a.pdf")) == Plan(event_id="file:1")
    assert dropped(loaded, a_file("/elsewhere")) == Plan(event_id="file:1")


def test_the_same_value_is_followed_once_and_the_second_says_which_was_first(project: Loaded) -> None:
    loaded = project(ONE.format(more="dedupe: file.sha256", text="hi"))
    memory = Overlay(Nothing())
    first = dropped(loaded, a_file(at(loaded), "a.txt", "file:1", sha256="aa"), memory)
    memory.add(first.memories)
    second = dropped(loaded, a_file(at(loaded), "b.txt", "file:2", sha256="aa"), memory)
    other = dropped(loaded, a_file(at(loaded), "b.txt", "file:3", sha256="bb"), memory)
    again = dropped(loaded, a_file(at(loaded), "a.txt", "file:1", sha256="aa"), memory)
    assert [len(made.messages) for made in (first, second, other, again)] == [1, 0, 1, 1]
    assert why(second) == [("dedupe", "stopped", "file.sha256 is that of event file:1")]


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1, "a": 2}', '{"a": 1e999}', '{"a": 1} x'])
def test_the_json_of_a_file_is_as_strict_as_that_of_a_call(project: Loaded, text: str) -> None:
    loaded = project(ONE.format(more="", text="{{ file.json.a }}"))
    [failed] = dropped(loaded, a_file(at(loaded), text=text)).messages
    assert failed.problem
    assert "a.txt is not JSON" in failed.problem


@pytest.mark.parametrize(
    ("key", "first", "second", "messages"),
    [
        ("file.json.id", {"id": None}, {"id": None}, 2),
        ("file.json.id", {"id": ""}, {"id": ""}, 2),
        ("file.json.id | lower", {"id": None}, {"id": None}, 2),
        ("[file.json.shop, file.json.id]", {"shop": 1, "id": None}, {"shop": 1, "id": None}, 2),
        ("file.json.id", {"id": 0}, {"id": 0}, 1),
        ("file.json.id", {"id": False}, {"id": False}, 1),
        ("file.json.id", {"id": []}, {"id": []}, 1),
        ("file.json.id", {"id": 1}, {"id": "1"}, 2),
        ("file.json.id", {"id": None}, {"id": "None"}, 2),
    ],
)
def test_what_dedupe_finds_empty_is_no_duplicate(
    project: Loaded, key: str, first: Any, second: Any, messages: int
) -> None:
    loaded = project(ONE.format(more=f"dedupe: {key}", text="hi"))
    memory = Overlay(Nothing())
    made = []
    for number, content in enumerate((first, second)):
        event = a_file(at(loaded), "a.txt", f"file:{number}", text=json.dumps(content))
        made.append(dropped(loaded, event, memory))
        memory.add(made[-1].memories)
    assert sum(len(one.messages) for one in made) == messages
    if messages == 2 and first == second:
        (decision, *_rest) = why(made[1])
        assert decision[:2] == ("dedupe", "passed")
        assert "is empty, so this is no duplicate" in decision[2]


@pytest.mark.parametrize(
    ("more", "text", "stage", "said"),
    [
        ("", "{{ file.json.title }}", "if", "file.json: a.txt is not JSON"),
        ("if: file.json.nme", "hi", "if", "nme"),
        ("if: file.text", "hi", "if", "false"),
        ("dedupe: file.json.id", "hi", "dedupe", "id"),
        ("", "{{ file.json.title.x }}", "send", "x"),
        ("", "{{ file.json.empty }}", "send", "is empty"),
    ],
)
def test_what_fails_is_a_dead_delivery_that_says_where_and_why(
    project: Loaded, more: str, text: str, stage: str, said: str
) -> None:
    loaded = project(ONE.format(more=more, text=text))
    content = "not json" if "is not JSON" in said else json.dumps({"name": "x", "title": {}, "empty": " "})
    content = "false" if said == "false" else content
    made = dropped(loaded, a_file(at(loaded), text=content))
    [failed] = made.messages
    assert failed.message is None
    assert failed.problem
    assert said in failed.problem
    assert [(decision.stage, decision.outcome) for decision in made.decisions] == [(stage, "failed")]
    assert made.memories == ()


def test_one_recipient_that_fails_spoils_no_other(project: Loaded) -> None:
    loaded = project(
        """
contacts: {a: "+90 555 123 45 67", b: "+90 555 123 45 68"}
rules:
  - id: one
    trigger: {file: {path: drop}}
    dedupe: file.name
    to: [a, b]
    send: {text: "{{ file.json[contact.name] }}"}
"""
    )
    made = dropped(loaded, a_file(at(loaded), text='{"b": "hello"}'))
    assert [planned.message is None for planned in made.messages] == [True, False]
    assert [decision.outcome for decision in made.decisions] == ["failed", "passed"]
    memory = Overlay(Nothing())
    memory.add(made.memories)
    again = dropped(loaded, a_file(at(loaded), text='{"a": "hi", "b": "hello"}'), memory)
    assert [planned.message is None for planned in again.messages] == [False, False], "a retry is no double"


def test_a_recipient_from_data_is_found_or_the_message_fails(project: Loaded) -> None:
    loaded = project(
        """
rules:
  - id: one
    trigger: {file: {path: drop}}
    to: "{{ file.text }}"
    send: {text: "hi"}
"""
    )
    good = dropped(loaded, a_file(at(loaded), text="0555 123 45 67"))
    assert [planned.message for planned in good.messages] == [Text(phone="905551234567", message="hi")]
    bad = dropped(loaded, a_file(at(loaded), text="nobody"))
    assert [decision.stage for decision in bad.decisions] == ["to"]
    assert "nobody" in str(bad.messages[0].problem)


@pytest.fixture(scope="module")
def starters() -> Project:
    return load(ROOT, {"WBOX_API_KEY": "sk_x"})


@given(name=st.text(st.characters(), max_size=30), text=st.text(max_size=50))
def test_whatever_a_file_is_called_and_holds_the_plan_can_be_stored(
    starters: Project, name: str, text: str
) -> None:
    event = a_file(str(ROOT / "drop"), name.replace("/", "_") or "x", text=text, sha256="aa")
    made = plan(starters, event, Overlay(Nothing()), NOW)
    for decision in made.decisions:
        assert decision.detail.encode("utf-8")
    for planned in made.messages:
        assert (planned.message is None) == (planned.problem is not None)
        if planned.message:
            assert json.dumps(planned.message.body(), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize(
    ("flow", "send", "carried"),
    [
        ("group: {by: alert.labels.alertname, wait: 30s}", "{{ group.firing | length }}", False),
        ("group: {by: alert.labels.alertname, wait: 30s}", "{{ body.status }}", True),
        ("throttle: {max: 1, per: 1h, overflow: queue}", "{{ alert.labels.n }}", False),
        ("digest: {at: '18:00'}", "{% for one in events %}{{ one.labels.n }}{% endfor %}", False),
        ("digest: {at: '18:00'}", "{% for one in events %}{{ one.body.status }}{% endfor %}", True),
    ],
)
def test_what_is_held_of_many_alerts_carries_the_call_only_where_the_rule_looks_at_it(
    project: Loaded,
    flow: str,
    send: str,
    carried: bool,  # noqa: FBT001 - a column of the table
) -> None:
    loaded = project(
        "rules:\n  - id: a\n    trigger: {webhook: {path: a, open: true, preset: alertmanager}}\n"
        f"    {flow}\n    to: '+905551234567'\n    send: {{text: \"{send}\"}}\n"
    )
    alerts = [
        {
            "status": "firing",
            "fingerprint": str(n),
            "labels": {"alertname": "x", "n": str(n)},
            "annotations": {},
        }
        for n in range(50)
    ]
    body = {"status": "firing", "alerts": alerts, "commonAnnotations": {"note": "z" * 1000}}
    data = {"path": "a", "method": "POST", "headers": {}, "query": {}, "body": body}
    made = plan(loaded, Event(id="webhook:a:1", type="webhook", at=NOW, data=data), Overlay(Nothing()), NOW)
    held = json.dumps([memory.json for memory in made.memories])
    assert made.memories
    assert ("z" * 1000 in held) is carried


@pytest.mark.parametrize(
    "flow",
    [
        "group: {by: alert.labels.alertname, wait: 30s}",
        "digest: {at: '18:00'}",
        "throttle: {max: 1, per: 1h, overflow: queue}",
        "quiet_hours: 00:00-23:59",
    ],
)
def test_thousands_of_alerts_that_one_rule_holds_are_not_copied_for_each_of_them(
    project: Loaded, flow: str
) -> None:
    """With a copy of all for each, it takes minutes, which the limit of a test ends."""
    loaded = project(
        "rules:\n  - id: a\n    trigger: {webhook: {path: a, open: true, preset: alertmanager}}\n"
        f"    {flow}\n    to: '+905551234567'\n    send: {{text: hi}}\n"
    )
    alerts = [
        {"status": "firing", "fingerprint": str(n), "labels": {"alertname": "x"}, "annotations": {}}
        for n in range(4000)
    ]
    data = {"path": "a", "method": "POST", "headers": {}, "query": {}, "body": {"alerts": alerts}}
    made = plan(loaded, Event(id="webhook:a:1", type="webhook", at=NOW, data=data), Overlay(Nothing()), NOW)
    assert len(made.memories) <= 2, "what is held is one, and what was told another"
