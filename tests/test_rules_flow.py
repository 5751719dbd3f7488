"""Noise, escalation and tests of rules: every spelling, every mistake."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rulebook import PHONE, mistake, parse_schedule, project, rule, rule_file

from wbox_notify.model.messages import Text
from wbox_notify.rules.recipients import Contact, OnCall
from wbox_notify.rules.rule import Group, Rule
from wbox_notify.triggers.schedule.windows import Window

OPEN = "trigger: {webhook: {path: x, open: true}}\n"
ALERTS = "trigger: {webhook: {path: x, open: true, preset: alertmanager}}\n"
PEOPLE = """\
contacts:
  ayse: {phone: "+905551112233", tags: [ops]}
  hans: {phone: "+4915112345678", tz: Europe/Berlin, lang: de}
on_call: {duty: {rotate: [ayse, hans], every: 1w, from: 2026-01-05 09:00}}
time_windows: {night: 22:00-07:30}
"""


def sources(found: tuple[object, ...]) -> list[str]:
    return [str(getattr(expression, "source", "")) for expression in found]


def test_for_each_gives_an_item_a_name_that_all_later_stages_see(tmp_path: Path) -> None:
    found = rule(
        tmp_path,
        "for_each: {row: file.json.rows}\nif: row.ok\ndedupe: row.id\n"
        "throttle: {max: 1, per: 1s, key: row.x}\n"
        'to: "{{ row.phone }}"\nsend: {text: "{{ row.name }}"}',
    )
    assert found.for_each
    assert (found.for_each[0], found.for_each[1].source) == ("row", "file.json.rows")
    assert found.needs == {"text", "json"}


def test_a_list_of_the_whole_call_belongs_to_none_of_its_alerts(tmp_path: Path) -> None:
    found = mistake(
        tmp_path, f'{ALERTS}for_each: {{one: body.alerts}}\nsend: {{text: "{{{{ alert.labels.x }}}}"}}'
    )
    assert found.message == "there is no `alert` here"


@pytest.mark.parametrize(
    ("text", "keys", "keep"),
    [
        ("body.id", ["body.id"], None),
        ("[body.id, body.at]", ["body.id", "body.at"], None),
        ("{key: body.id, for: 30d}", ["body.id"], 2_592_000.0),
        ("{key: [body.id, body.at], for: 1h}", ["body.id", "body.at"], 3600.0),
    ],
)
def test_dedupe_is_an_expression_a_list_or_a_map(
    tmp_path: Path, text: str, keys: list[str], keep: float | None
) -> None:
    found = rule(tmp_path, f"{OPEN}dedupe: {text}").dedupe
    assert found
    assert (sources(found.key), found.keep) == (keys, keep)


@pytest.mark.parametrize(
    ("text", "most", "per", "keys", "overflow"),
    [
        ("3/10m", 3, 600.0, [], "summarize"),
        ("1 / 30s", 1, 30.0, [], "summarize"),
        ("{max: 5, per: 1h}", 5, 3600.0, [], "summarize"),
        ("{max: 5, per: 1h, key: body.disk, overflow: queue}", 5, 3600.0, ["body.disk"], "queue"),
        ("{max: 5, per: 1h, key: [body.a, body.b], overflow: drop}", 5, 3600.0, ["body.a", "body.b"], "drop"),
    ],
)
def test_throttle_is_a_text_or_a_map(
    tmp_path: Path, text: str, most: int, per: float, keys: list[str], overflow: str
) -> None:
    found = rule(tmp_path, f"{OPEN}throttle: {text}").throttle
    assert found
    assert (found.most, found.per, sources(found.key), found.overflow) == (most, per, keys, overflow)


def test_a_group_has_the_times_of_alertmanager(tmp_path: Path) -> None:
    assert rule(tmp_path / "1", f"{ALERTS}group: {{}}").group == Group(
        by=(), wait=30.0, interval=300.0, repeat=14400.0, resolved=True
    )
    text = "{by: [alert.labels.a, alert.labels.b], wait: 1m, interval: 2m, repeat: never, resolved: false}"
    found = rule(tmp_path / "2", f"{ALERTS}group: {text}").group
    assert found
    assert sources(found.by) == ["alert.labels.a", "alert.labels.b"]
    assert (found.wait, found.interval, found.repeat, found.resolved) == (60.0, 120.0, None, False)


def test_messages_of_a_group_see_the_group_and_the_newest_of_its_items(tmp_path: Path) -> None:
    rule(
        tmp_path,
        ALERTS + 'group: {}\nsend: {text: "{{ group.key }} {{ group.firing }} {{ alert.labels.a }}"}',
    )


@pytest.mark.parametrize("text", ['{at: "18:00"}', "{every: 1h}", "{at: [Mon 09:00, Fri 17:00]}"])
def test_a_digest_has_the_times_of_a_schedule_and_its_messages_see_events(tmp_path: Path, text: str) -> None:
    send = 'send: {text: "{% for one in events %}{{ one.body.x }}{% endfor %}"}'
    found = rule(tmp_path, f"{OPEN}digest: {text}\n{send}", **{"wbox-notify.yaml": "defaults: {tz: UTC}"})
    assert found.digest
    assert found.digest.schedule.after(datetime(2026, 1, 1, tzinfo=UTC)) is not None


def test_what_a_digest_of_files_tells_is_read_from_them(tmp_path: Path) -> None:
    send = 'send: {text: "{% for one in events %}{{ one.file.sha256 }}{% endfor %}"}'
    assert rule(tmp_path, f'digest: {{at: "18:00"}}\n{send}').needs == {"sha256"}


@pytest.mark.parametrize(
    ("text", "window", "unless", "then"),
    [
        ("night", ["22:00-07:30"], None, "hold"),
        ("Mon-Fri 09:00-18:00", ["Mon-Fri 09:00-18:00"], None, "hold"),
        ("[night, Sat, Sun 10:00-12:00]", ["22:00-07:30", "Sat", "Sun 10:00-12:00"], None, "hold"),
        ("{window: night, unless: body.urgent, then: drop}", ["22:00-07:30"], "body.urgent", "drop"),
    ],
)
def test_quiet_hours_are_a_window_its_name_or_a_map(
    tmp_path: Path, text: str, window: list[str], unless: str | None, then: str
) -> None:
    found = rule(tmp_path, f"{OPEN}quiet_hours: {text}", **{"wbox-notify.yaml": PEOPLE}).quiet_hours
    assert found
    assert (found.window, found.then) == (Window.parse(*window), then)
    assert (found.unless and found.unless.source) == unless


ESCALATE = """\
escalate:
  - {after: 15m, to: [ayse, duty], send: {text: "{{ contact.name }}: {{ ack_url }} {{ acked }}"}}
  - {after: 1h, unless: acked, if: group.firing, to: "{{ group.key[0] }}", send: [{text: a}, {text: b}]}
"""


def test_a_step_of_an_escalation_stops_when_somebody_answers(tmp_path: Path) -> None:
    first, second = rule(
        tmp_path, f"{ALERTS}group: {{}}\n{ESCALATE}", **{"wbox-notify.yaml": PEOPLE}
    ).escalate
    assert first.unless
    assert first.unless.source == "acked or resolved"
    assert (first.after, first.condition, len(first.send)) == (900.0, None, 1)
    assert [type(one) for one in first.to] == [Contact, OnCall]
    assert second.condition
    assert (second.after, second.condition.source, len(second.send)) == (3600.0, "group.firing", 2)


def test_one_step_needs_no_list(tmp_path: Path) -> None:
    (step,) = rule(tmp_path, 'escalate: {after: 1m, to: "+905551112233", send: {text: a}}').escalate
    assert step.after == 60.0


def translated(folder: Path, to: str) -> Rule:
    text = f'to: {to}\nsend: {{text: "{{{{ 1536 | filesize }}}} {{{{ now | time }}}}"}}'
    return rule(folder, text, **{"wbox-notify.yaml": f"defaults: {{tz: UTC}}\n{PEOPLE}"})


@pytest.mark.parametrize("to", ["hans", "duty", '"{{ file.stem }}"'])
def test_readers_with_their_own_zone_and_language_have_their_own_messages(tmp_path: Path, to: str) -> None:
    found = translated(tmp_path, to)
    context = {"now": datetime(2026, 1, 1, 12, tzinfo=UTC)}
    assert found.send[0].build(context, PHONE) == Text(phone=PHONE, message="1.5 kB 12:00")
    assert list(found.translations) == [("Europe/Berlin", "de")]
    (german,) = found.translations["Europe/Berlin", "de"]
    assert german.build(context, PHONE) == Text(phone=PHONE, message="1,5 kB 13:00")


def test_no_message_is_made_for_readers_that_a_rule_does_not_have(tmp_path: Path) -> None:
    assert translated(tmp_path, "ayse").translations == {}


MISTAKES = [
    ("for_each: file.json", "WBX215", (5, 15), "gives each item a name", "{row: file.json}"),
    ("for_each: one in file.json", "WBX215", (5, 15), "gives each item a name", "{one: file.json}"),
    ("for_each: {a: file.json, b: file.json}", "WBX215", (5, 15), "one name and one list", None),
    ("for_each: {file: file.json}", "WBX318", (5, 16), "cannot be called `file`", "`row` or `item`"),
    ("for_each: {a-b: file.json}", "WBX318", (5, 16), "cannot be called `a-b`", None),
    ("for_each: {loop: file.json}", "WBX318", (5, 16), "cannot be called `loop`", None),
    ("for_each: {row: row.x}", "WBX308", (5, 21), "there is no `row` here", None),
    ("for_each: {row: 5}", "WBX213", (5, 21), "`row` must be text", None),
    ("dedupe: {for: 1d}", "WBX212", (5, 5), "the key `key` is missing", None),
    ("dedupe: {key: file.name, for: 30}", "WBX215", (5, 35), "`30` is not a duration", "30s or 30m"),
    ("dedupe: {key: file.name, for: [1d]}", "WBX213", (5, 35), "`for` must be text, not a list", None),
    ("throttle: often", "WBX215", (5, 15), "`often` is not a throttle", "3/10m"),
    ("throttle: 3/tenm", "WBX215", (5, 15), "`tenm` is not a duration", None),
    ("throttle: 0/10m", "WBX215", (5, 15), "0 is too few", "1 or more"),
    ("throttle: 3", "WBX213", (5, 15), "`throttle` must be a map", None),
    ("throttle: {max: 3}", "WBX212", (5, 5), "the key `per` is missing", None),
    ("throttle: {max: '3', per: 1m}", "WBX213", (5, 21), "must be a whole number", "out of the quotes"),
    (
        "throttle: {max: 3, per: 1m, overflow: wait}",
        "WBX215",
        (5, 43),
        "`wait` is not known here",
        "summarize",
    ),
    ("throttle: {max: 3, per: 1m, key: rwo}", "WBX308", (5, 38), "there is no `rwo` here", None),
    ("group: {wait: soon}", "WBX215", (5, 19), "`soon` is not a duration", "90s"),
    ("group: {repeat: always}", "WBX215", (5, 21), "`always` is not a duration", None),
    ("group: {by: contact.name}", "WBX308", (5, 17), "there is no `contact` here", None),
    ("group: {by: group.key}", "WBX308", (5, 17), "there is no `group` here", None),
    ("group: file.name", "WBX213", (5, 12), "`group` must be a map", None),
    ("group: {resolved: maybe}", "WBX213", (5, 23), "must be true or false, not text", None),
    (
        "digest: {at: '18:00'}\ngroup: {}",
        "WBX317",
        (5, 5),
        "`group` and `digest` are two ways",
        "one of them",
    ),
    ("digest: {}", "WBX211", (5, 13), "needs one of at, cron, every", None),
    ("digest: {at: '25:00'}", "WBX326", (5, 18), "`25:00` is not a time of day", None),
    ("digest: {every: 1h, missed: all}", "WBX210", (5, 25), "unknown key `missed`", None),
    ("quiet_hours: nigth", "WBX327", (5, 18), "nigth", "did you mean `night`?"),
    (
        "quiet_hours: gece",
        "WBX327",
        (5, 18),
        "`gece` is neither a window nor a day",
        "time_windows: {gece: 22:00-07:30}",
    ),
    ("quiet_hours: 22:00", "WBX327", (5, 18), "not a window of time", "22:00-07:30"),
    ("quiet_hours: {window: night, then: wait}", "WBX215", (5, 40), "`wait` is not known here", "hold, drop"),
    ("quiet_hours: {window: night, unless: fiel.size}", "WBX308", (5, 42), "no `fiel` here", "`file`?"),
    ("quiet_hours: 2200", "WBX213", (5, 18), "`quiet_hours` must be a map", None),
    ("quiet_hours: []", "WBX215", (5, 18), "the list is empty", None),
    ("quiet_hours: [09:00-18:00, 7]", "WBX213", (5, 32), "each of `quiet_hours` must be text", "in quotes"),
    ("quiet_hours: [[a]]", "WBX213", (5, 19), "each of `quiet_hours` must be text, not a list", None),
    ("quiet_hours: {unless: file.size}", "WBX212", (5, 5), "the key `window` is missing", None),
    ("escalate: {to: ayse, send: {text: a}}", "WBX212", (5, 5), "the key `after` is missing", None),
    ("escalate: {after: 1m, send: {text: a}}", "WBX212", (5, 5), "the key `to` is missing", None),
    ("escalate: {after: 1m, to: ayse}", "WBX212", (5, 5), "the key `send` is missing", None),
    ("via: []", "WBX215", (5, 10), "the list is empty", None),
    ("via: 5", "WBX213", (5, 10), "`via` must be text, not a number", None),
    ("via: nobodys-mail", "WBX329", (5, 10), "no secret `nobodys-mail`", "WBOX_SECRET_NOBODYS_MAIL"),
    ("via: 'gotify://'", "WBX329", (5, 10), "cannot make a service of this gotify://", "services/"),
    ("fallback: [wboxq://905551112233]", "WBX329", (5, 16), "leads back into this queue", "ntfy://"),
    ("to: 'mailto://a:b@example.com'", "WBX303", (5, 9), "an address is not a recipient", "`via`"),
    ("tests: [{name: x, when: {api_down: true}, expect: []}]", "WBX211", (5, 29), "needs one of", None),
    (
        "escalate: {after: 1m, via: 'ntyf://x', to: ayse, send: {text: a}}",
        "WBX329",
        (5, 32),
        "Apprise knows no service `ntyf`",
        "`ntfy`?",
    ),
    (
        "escalate: {after: 1m, fallback: x, to: ayse, send: {text: a}}",
        "WBX210",
        (5, 27),
        "a step has no `fallback`",
        "beside `escalate`",
    ),
    (
        "escalate: [{after: 1m, to: aysse, send: {text: a}}]",
        "WBX303",
        (5, 32),
        "`aysse` is neither",
        "`ayse`?",
    ),
    (
        "escalate: [{after: 1m, if: group.key, to: ayse, send: {text: a}}]",
        "WBX308",
        (5, 32),
        "there is no `group` here",
        None,
    ),
    (
        'escalate: {after: 1m, to: ayse, send: {text: "{{ akced }}"}}',
        "WBX308",
        (5, 54),
        "`akced`",
        "`acked`?",
    ),
    ('digest: {every: 1h}\nto: "{{ events[0].x }}"', "WBX308", (6, 13), "there is no `events` here", None),
    ("if: acked", "WBX308", (5, 9), "there is no `acked` here", None),
    ('send: {text: "{{ events }}"}', "WBX308", (5, 22), "there is no `events` here", None),
    ("tests: {}", "WBX213", (5, 12), "`tests` must be a list", None),
    ("tests: [{when: {file: {}}, expect: []}]", "WBX212", (5, 13), "the key `name` is missing", None),
    ("tests: [{name: x}]", "WBX211", (5, 13), "a test needs `when`, or `next_runs`", None),
    ("tests: [{name: x, when: {file: {}}}]", "WBX211", (5, 13), "a test needs `expect`", "expect: []"),
    ("tests: [{name: x, when: {}, expect: []}]", "WBX211", (5, 29), "needs one of file, webhook", None),
    (
        "tests: [{name: x, when: [{ack: true, wait: 1m}], expect: []}]",
        "WBX211",
        (5, 30),
        "takes one of ack and wait",
        None,
    ),
    (
        "tests: [{name: x, when: {schedule: false}, expect: []}]",
        "WBX213",
        (5, 40),
        "`schedule` must be true",
        None,
    ),
    (
        "tests: [{name: x, when: {file: {}, at: 9am}, expect: []}]",
        "WBX215",
        (5, 44),
        "`9am` is not a date with a time",
        "2026-11-23 14:00",
    ),
    (
        "tests: [{name: x, when: {file: {}, at: 2026-02-30 09:00}, expect: []}]",
        "WBX215",
        (5, 44),
        "is not a date with a time",
        None,
    ),
    ("tests: [{name: x, when: {file: {nmae: a}}, expect: []}]", "WBX210", (5, 37), "`nmae`", "`name`?"),
    (
        "tests: [{name: x, when: {file: {}}, expect: {to: aysse}}]",
        "WBX303",
        (5, 54),
        "`aysse` is neither",
        "`ayse`?",
    ),
    (
        "tests: [{name: x, when: {file: {}}, expect: {text: {has: x}}}]",
        "WBX215",
        (5, 56),
        "a text or `{contains: …}` is expected",
        None,
    ),
    (
        "tests: [{name: x, when: {file: {}}, expect: {text: a, poll: {}}}]",
        "WBX211",
        (5, 49),
        "a message is one of text, poll",
        "a list of messages",
    ),
    (
        "tests: [{name: x, next_runs: [2026-01-01 09:00]}]",
        "WBX211",
        (5, 13),
        "`next_runs` and `next_runs_from` need each other",
        None,
    ),
]


@pytest.mark.parametrize(("text", "code", "place", "message", "hint"), MISTAKES)
def test_each_mistake_about_noise_has_its_place_and_its_cure(
    tmp_path: Path, text: str, code: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    problem = mistake(tmp_path, text, **{"wbox-notify.yaml": PEOPLE})
    assert (problem.code, (problem.line, problem.column)) == (code, place)
    assert message in problem.message
    assert hint is None or hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("window", "message"), [("09:00-09:00", "never opens"), ("00:00-24:00", "is always open")]
)
@pytest.mark.parametrize("place", ["quiet_hours: {}", "quiet_hours: {{window: {}}}"])
def test_a_window_that_never_changes_is_a_warning(
    tmp_path: Path, window: str, message: str, place: str
) -> None:
    found = project(tmp_path, {"rules/a.yaml": rule_file(place.format(window))})
    (problem,) = found.problems
    assert (problem.code, problem.severity, problem.line) == ("WBX331", "warning", 5)
    assert message in problem.message
    assert len(found.rules) == 1


TESTS = """\
trigger: [{file: {path: /srv}}, {webhook: {path: x, open: true}}]
tests:
  - name: all inputs
    when:
      - {at: 2026-11-23 14:00, file: {name: a.pdf, size: 3, mtime: 2026-11-23 13:00}}
      - {after: 5s, webhook: {body: {a: [1]}, headers: {X-A: b}}}
      - {ack: true}
      - {wait: 1h}
    until: 2h
    skipped: if[1]
  - name: all outputs
    when: {schedule: true}
    expect:
      - {at: 2026-11-23T14:00:30+03:00, to: ayse, text: a}
      - {poll: {question: {contains: [a, b]}, options: [x, y]}}
"""


def test_the_tests_of_a_rule_are_given_as_they_are_written_with_times_in_its_zone(tmp_path: Path) -> None:
    settings = f"defaults: {{tz: Europe/Istanbul}}\n{PEOPLE}"
    inputs, outputs = rule(tmp_path, TESTS, **{"wbox-notify.yaml": settings}).tests
    afternoon = datetime(2026, 11, 23, 14, 0, tzinfo=ZoneInfo("Europe/Istanbul"))
    assert [one.kind for one in inputs.when] == ["file", "webhook", "ack", "wait"]
    assert [one.at for one in inputs.when] == [afternoon, None, None, None]
    assert [one.after for one in inputs.when] == [0.0, 5.0, 0.0, 3600.0]
    assert inputs.when[0].data == {"name": "a.pdf", "size": 3, "mtime": afternoon.timestamp() - 3600}
    assert inputs.when[1].data == {"body": {"a": [1]}, "headers": {"X-A": "b"}}
    assert (inputs.name, inputs.until, inputs.skipped, inputs.line) == ("all inputs", 7200.0, "if[1]", 7)
    assert outputs.expect == (
        {"at": afternoon.replace(second=30), "to": "ayse", "text": "a"},
        {"poll": {"question": {"contains": ["a", "b"]}, "options": ["x", "y"]}},
    )


def test_the_times_of_a_test_are_where_the_schedule_of_the_rule_is(tmp_path: Path) -> None:
    text = """\
        trigger: {schedule: {at: "09:00", tz: Europe/Berlin}}
        tests: [{name: x, next_runs_from: 2026-01-01 10:00, next_runs: [2026-01-02 09:00]}]
    """
    (test,) = rule(tmp_path, text, **{"wbox-notify.yaml": "defaults: {tz: Europe/Istanbul}"}).tests
    assert test.next_runs_from
    assert parse_schedule("09:00", ZoneInfo("Europe/Berlin")).after(test.next_runs_from) == test.next_runs[0]
