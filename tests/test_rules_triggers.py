"""Triggers: webhooks, schedules and what is missing, from YAML to what the sources need."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rulebook import missed_runs, mistake, parse_schedule, project, rule, rule_file

from wbox_notify.errors import WboxError
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, ScheduleTrigger, Trigger, WebhookTrigger
from wbox_notify.triggers.schedule.schedule import Missed
from wbox_notify.triggers.webhook.presets import PRESETS
from wbox_notify.triggers.webhook.signatures import scheme

SECRET = "canary-canary-canary-canary-4711"
SECRETS = {"wbox-notify.yaml": "secrets: {hook: {env: HOOK}, other: {env: HOOK}}\n"}
ISTANBUL = ZoneInfo("Europe/Istanbul")


def trigger(folder: Path, text: str, files: dict[str, str] | None = None, **environ: str) -> Trigger:
    """Return the one trigger of a rule."""
    files = {"rules/a.yaml": rule_file(f"trigger: {text}"), **(files or {})}
    found = project(folder, files, **environ)
    assert found.problems == ()
    assert SECRET not in repr(found)
    (one,) = found.rules[0].triggers
    return one


def webhook(folder: Path, text: str) -> WebhookTrigger:
    found = trigger(folder, f"{{webhook: {text}}}", SECRETS, HOOK=SECRET)
    assert isinstance(found, WebhookTrigger)
    return found


@pytest.mark.parametrize(
    ("written", "path"),
    [("github", "github"), ("/github", "github"), ("shop/orders.v2/", "shop/orders.v2"), ("_a-B", "_a-B")],
)
def test_a_path_of_a_webhook_needs_no_slash_before_it(tmp_path: Path, written: str, path: str) -> None:
    assert webhook(tmp_path, f"{{path: {written}, open: true}}").path == path


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_says_how_its_sender_proves_itself(tmp_path: Path, preset: str) -> None:
    found = webhook(tmp_path, f"{{path: x, preset: {preset}, secret: hook}}")
    assert found.preset is PRESETS[preset]
    assert found.scheme == scheme(PRESETS[preset].scheme, [SECRET], {})


def test_a_webhook_without_preset_takes_a_bearer_token(tmp_path: Path) -> None:
    assert webhook(tmp_path, "{path: x, secret: hook}").scheme == scheme("bearer", [SECRET], {})


def test_a_rule_can_say_itself_how_calls_are_verified(tmp_path: Path) -> None:
    text = "{path: x, secret: [hook, other], verify: {scheme: hmac, header: X-Sign, prefix: sha256=}}"
    options = {"header": "X-Sign", "prefix": "sha256="}
    assert webhook(tmp_path, text).scheme == scheme("hmac", [SECRET, SECRET], options)


def test_an_open_webhook_has_no_scheme(tmp_path: Path) -> None:
    assert webhook(tmp_path, "{path: x, open: true}").scheme is None


def test_the_id_of_a_delivery_is_an_expression_over_the_call(tmp_path: Path) -> None:
    found = webhook(tmp_path, '{path: x, open: true, id: "body.order ~ headers.a ~ query.b"}').id
    assert found
    assert found.value({"body": {"order": 7}, "headers": {"a": "-"}, "query": {"b": "x"}}) == "7-x"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a-1", "a-1"),
        (7, "7"),
        (0, "0"),
        (1.5, "1.5"),
        (None, None),
        ("", None),
        (" \t", None),
        ("ışık", "ışık"),
    ],
)
def test_an_id_is_a_text_or_a_number_or_nothing(tmp_path: Path, value: object, found: str | None) -> None:
    hook = webhook(tmp_path, "{path: x, open: true, id: body.id}")
    assert hook.delivery_id({"body": {"id": value}, "headers": {}, "query": {}}) == found


@pytest.mark.parametrize(
    ("value", "said"),
    [([], "a list"), ([1], "a list"), ({}, "a map"), (True, "true or false"), (False, "true")],
)
def test_an_id_that_is_no_text_and_no_number_is_an_error(tmp_path: Path, value: object, said: str) -> None:
    hook = webhook(tmp_path, "{path: x, open: true, id: body.id}")
    with pytest.raises(WboxError, match=f"`id` has to be a text or a number, and is {said}"):
        hook.delivery_id({"body": {"id": value}, "headers": {}, "query": {}})


@pytest.mark.parametrize("made", ["body.a ~ body.b", "body.a | lower", "body.a | trim", "body.a | string"])
def test_what_an_id_makes_of_none_is_nothing_too(tmp_path: Path, made: str) -> None:
    hook = webhook(tmp_path, f'{{path: x, open: true, id: "{made}"}}')
    assert hook.delivery_id({"body": {"a": None, "b": None}, "headers": {}, "query": {}}) is None


def test_a_webhook_without_an_id_says_nothing_of_it(tmp_path: Path) -> None:
    assert webhook(tmp_path, "{path: x, open: true}").delivery_id({"body": {"id": 7}}) is None


@pytest.mark.parametrize(
    ("text", "zone", "missed"),
    [
        ("{schedule: Mon-Fri 09:00}", UTC, Missed()),
        ('{schedule: ["Mon 09:00", "Tue 10:00"]}', UTC, Missed()),
        ("{schedule: {at: Mon 09:00, tz: Europe/Istanbul, missed: none}}", ISTANBUL, missed_runs("none")),
        (
            "{schedule: {every: 15m, missed: {run: all, within: 2h}}}",
            UTC,
            missed_runs("all", timedelta(hours=2)),
        ),
        ("{schedule: {cron: 0 9 * * 1-5, skip: {holidays: TR, days: 2026-12-31}}}", UTC, Missed()),
        ('{schedule: "@daily"}', UTC, Missed()),
    ],
)
def test_a_schedule_is_a_text_a_list_or_a_map(
    tmp_path: Path, text: str, zone: object, missed: Missed
) -> None:
    found = trigger(tmp_path, text, TZ="UTC")
    assert isinstance(found, ScheduleTrigger)
    assert (str(found.schedule.zone), found.missed) == (str(zone), missed)


def test_a_schedule_is_what_the_same_words_give_without_a_rule(tmp_path: Path) -> None:
    written = {"at": ["Mon-Fri 09:00", "Sat 10:00"], "skip": {"holidays": "TR", "days": ["2026-12-31"]}}
    text = "{schedule: {at: [Mon-Fri 09:00, Sat 10:00], skip: {holidays: TR, days: [2026-12-31]}}}"
    found = trigger(tmp_path, text, {"wbox-notify.yaml": "defaults: {tz: Europe/Istanbul}"})
    assert isinstance(found, ScheduleTrigger)
    assert found.schedule == parse_schedule(written, ISTANBUL)


def test_what_is_missing_has_a_source_a_time_and_a_window(tmp_path: Path) -> None:
    text = '{missing: {of: {file: {path: /srv/b, match: "db-*"}}, by: "07:00", window: 12h, resolved: true}}'
    found = trigger(tmp_path, text, TZ="UTC")
    assert isinstance(found, MissingTrigger)
    assert (found.of, found.window, found.resolved) == (
        FileTrigger(root=Path("/srv/b"), match=("db-*",), min_size=1),
        43_200.0,
        True,
    )
    assert found.by.after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 1, 7, tzinfo=UTC)


def test_a_call_can_be_missing_too(tmp_path: Path) -> None:
    found = trigger(
        tmp_path, "{missing: {of: {webhook: {path: ping, open: true}}, by: {every: 1h}, window: 1h}}"
    )
    assert isinstance(found, MissingTrigger)
    assert isinstance(found.of, WebhookTrigger)


def test_a_rule_may_have_several_triggers(tmp_path: Path) -> None:
    text = "trigger: [{file: {path: /srv}}, {schedule: '09:00'}, {webhook: {path: x, open: true}}]"
    found = rule(
        tmp_path, text + '\nsend: {text: "{{ event.type }} {{ file.name }} {{ schedule.at }} {{ body }}"}'
    )
    assert [type(one) for one in found.triggers] == [FileTrigger, ScheduleTrigger, WebhookTrigger]
    assert len(list(found.sources())) == 2


def test_a_watched_file_that_is_missing_is_read_as_far_as_the_rule_needs(tmp_path: Path) -> None:
    found = rule(
        tmp_path,
        'trigger: {missing: {of: {file: {path: /srv}}, by: "07:00", window: 1d}}\n'
        'send: {text: "{{ missing.by }} {{ file.text }}"}',
    )
    assert found.needs == {"text"}


HOOK = "trigger: {webhook: {path: x, "
MISTAKES = [
    (
        "trigger: {webhook: github}",
        "WBX316",
        (5, 24),
        "has to say who may call it",
        "{path: github, secret: NAME}",
    ),
    (
        "trigger: {webhook: {path: x}}",
        "WBX316",
        (5, 15),
        "anybody could call this webhook",
        "`open: true` if that is",
    ),
    ("trigger: {webhook: {}}", "WBX212", (5, 15), "the key `path` is missing", None),
    ("trigger: {webhook: {path: 'a b', open: true}}", "WBX215", (5, 31), "a path has letters", "`github`"),
    ("trigger: {webhook: {path: ../x, open: true}}", "WBX215", (5, 31), "a path has letters", "/hook/"),
    ("trigger: {webhook: {path: a//b, open: true}}", "WBX215", (5, 31), "a path has letters", None),
    ("trigger: {webhook: {path: 5, open: true}}", "WBX213", (5, 31), "`path` must be text", "quotes"),
    (HOOK + "preset: gihtub, open: true}}", "WBX215", (5, 42), "`gihtub` is not known here", "`github`?"),
    (HOOK + "open: 1}}", "WBX213", (5, 40), "`open` must be true or false, not a number", None),
    (HOOK + "open: true, secret: hook}}", "WBX316", (5, 46), "`secret` has no effect", "one of them"),
    (HOOK + "open: true, verify: {scheme: github}}}", "WBX316", (5, 46), "`verify` has no effect", None),
    (HOOK + "secret: '%$8'}}", "WBX215", (5, 42), "a secret is given by its name", "secrets: {my-hook"),
    (HOOK + "secret: nobody}}", "WBX324", (5, 42), "no secret `nobody`", "WBOX_SECRET_NOBODY"),
    (HOOK + "secret: [hook, my-key]}}", "WBX324", (5, 49), "`my-key`", "`secrets: {my-key: {file: PATH}}`"),
    (HOOK + "secret: []}}", "WBX215", (5, 42), "the list is empty", None),
    (
        HOOK + "secret: hook, verify: {scheme: gitub}}}",
        "WBX328",
        (5, 65),
        "there is no scheme `gitub`",
        "`github`?",
    ),
    (HOOK + "secret: hook, verify: {scheme: hmac}}}", "WBX328", (5, 65), "needs the option `header`", None),
    (
        HOOK + "secret: hook, verify: {scheme: github, header: X}}}",
        "WBX328",
        (5, 81),
        "no option `header`",
        None,
    ),
    (HOOK + "secret: hook, verify: {scheme: header, header: 'a b'}}}", "WBX328", (5, 81), "`header`", None),
    (HOOK + "secret: hook, verify: {}}}", "WBX212", (5, 48), "the key `scheme` is missing", None),
    (HOOK + "secret: hook, verify: {scheme: standard}}}", "WBX328", (5, 42), "must be in base64", None),
    (HOOK + "open: true, id: contact.name}}", "WBX308", (5, 50), "no `contact` here", "body, headers, query"),
    (HOOK + "open: true, id: 'body.'}}", "WBX306", (5, 50), "", None),
    (HOOK + "open: true, methods: DELETE}}", "WBX215", (5, 55), "`DELETE` is not known", "GET, POST"),
    (HOOK + "open: true, methods: []}}", "WBX215", (5, 55), "the list is empty", None),
    (
        HOOK + "secret: hook, preset: github, methods: [GET, POST]}}",
        "WBX328",
        (5, 73),
        "a call by GET has no body to be signed",
        "scheme: query",
    ),
    (
        HOOK + "open: true, cors: '*'}}",
        "WBX215",
        (5, 52),
        "`*` is not the origin",
        "https://shop.example.com",
    ),
    (HOOK + "open: true, cors: https://a.de/x}}", "WBX215", (5, 52), "is not the origin", "without a path"),
    (HOOK + "open: true, cors: ['https://A.de']}}", "WBX215", (5, 53), "is not the origin", "small letters"),
    (HOOK + "open: true, cors: https://a.de:443}}", "WBX215", (5, 52), "is not the origin", None),
    (HOOK + "open: true, redirect: /thanks}}", "WBX215", (5, 56), "is not the address of a page", "https://"),
    (
        HOOK + "open: true, redirect: 'javascript:x'}}",
        "WBX215",
        (5, 56),
        "is not the address of a page",
        None,
    ),
    ("trigger: {schedule: tomorrow}", "WBX326", (5, 25), "is not", "Mon-Fri 09:00"),
    ("trigger: {schedule: ['09:00', '25:00']}", "WBX326", (5, 35), "`25:00` is not a time of day", None),
    ("trigger: {schedule: {at: ['09:00', Mno 10:00]}}", "WBX326", (5, 40), "`Mno` is not a day", "`Mon`?"),
    ("trigger: {schedule: {cron: 0 0 30 2 *}}", "WBX326", (5, 32), "is never due", None),
    ("trigger: {schedule: {every: 36h}}", "WBX326", (5, 33), "another time of day", "at: 09:00"),
    ("trigger: {schedule: {at: '09:00', tz: Mars}}", "WBX215", (5, 43), "no time zone Mars", None),
    ("trigger: {schedule: {at: '09:00', skip: {holidays: XX}}}", "WBX215", (5, 56), "XX", None),
    ("trigger: {schedule: {at: '09:00', skip: {day: x}}}", "WBX210", (5, 46), "unknown key `day`", "`days`?"),
    ("trigger: {schedule: {at: '09:00', every: 1h}}", "WBX211", (5, 25), "takes one of at and every", None),
    ("trigger: {schedule: {}}", "WBX211", (5, 25), "needs one of at, cron, every", "at: Mon-Fri 09:00"),
    (
        "trigger: {schedule: {at: '09:00', missed: some}}",
        "WBX215",
        (5, 47),
        "`some` is not known",
        "last, all",
    ),
    (
        "trigger: {schedule: {at: '09:00', missed: {within: 1}}}",
        "WBX215",
        (5, 56),
        "`1` is not a duration",
        "1s or 1m",
    ),
    ("trigger: {schedule: 900}", "WBX213", (5, 25), "must be a map of keys and values, not a number", None),
    ("trigger: {missing: {by: '07:00', window: 1h}}", "WBX212", (5, 15), "the key `of` is missing", None),
    (
        "trigger: {missing: {of: {schedule: x}, by: '07:00', window: 1h}}",
        "WBX210",
        (5, 30),
        "`schedule` cannot be awaited",
        "`file` or `webhook`",
    ),
    (
        "trigger: {missing: {of: {file: {path: x}}, by: 7, window: 1h}}",
        "WBX213",
        (5, 52),
        "`by` must be a map",
        None,
    ),
    (
        "trigger: {missing: {of: {file: {path: x}}, by: '7', window: 1h}}",
        "WBX326",
        (5, 52),
        "`7` is not a schedule",
        None,
    ),
    (
        "trigger: {missing: {of: {webhook: {path: x}}, by: '07:00', window: 1h}}",
        "WBX316",
        (5, 30),
        "anybody could call this webhook",
        None,
    ),
]


@pytest.mark.parametrize(("text", "code", "place", "message", "hint"), MISTAKES)
def test_each_mistake_in_a_trigger_has_its_place_and_its_cure(
    tmp_path: Path, text: str, code: str, place: tuple[int, int], message: str, hint: str | None
) -> None:
    key = tmp_path / "key"
    key.write_text("canary $ 4711")
    key.chmod(0o600)
    secrets = "secrets: {hook: {file: key}}\n"
    problem = mistake(tmp_path, text, **{"wbox-notify.yaml": secrets})
    assert (problem.code, (problem.line, problem.column)) == (code, place)
    assert message in problem.message
    assert hint is None or hint in (problem.hint or "")
    assert "canary" not in repr(problem)


TWO_PRESETS = """\
trigger:
  - webhook: {path: x, open: true, preset: alertmanager}
  - webhook: {path: y, open: true, preset: healthchecks}
if: alert.labels or alert.name
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("if: file.name", "there is no `file` here"),
        ("if: alert.labels", "there is no `alert` here"),
        ("if: body.a.b and headers['x-y'] and query.z", None),
        ("trigger: {webhook: {path: x, open: true, preset: alertmanager}}\nif: alert.labels.severity", None),
        (
            "trigger: {webhook: {path: x, open: true, preset: alertmanager}}\nif: alert.label",
            "`alert` has no `label`",
        ),
        ("trigger: {schedule: '09:00'}\nif: body.a", "there is no `body` here"),
        ("trigger: {schedule: '09:00'}\nif: schedule.at and now", None),
        ("trigger: {schedule: '09:00'}\nif: schedule.late", "`schedule` has no `late`"),
        ("trigger: [{schedule: '09:00'}, {file: {path: /x}}]\nif: schedule.at and file.name", None),
        (TWO_PRESETS, None),
    ],
)
def test_each_trigger_offers_its_own_names(tmp_path: Path, text: str, message: str | None) -> None:
    text = text if text.startswith("trigger") else f"trigger: {{webhook: {{path: x, open: true}}}}\n{text}"
    found = project(tmp_path, {"rules/a.yaml": rule_file(text)})
    assert [problem.message for problem in found.problems] == ([message] if message else [])


def test_a_webhook_takes_post_and_put_and_no_page_of_others_unless_its_rule_says_so(tmp_path: Path) -> None:
    found = webhook(tmp_path, "{path: x, secret: hook}")
    assert (found.methods, found.origins, found.redirect) == (("POST", "PUT"), frozenset(), None)
    pages = "cors: [https://a.de, 'http://localhost:8080'], redirect: 'https://a.de/danke?x=ş'"
    found = webhook(tmp_path, f"{{path: x, open: true, methods: GET, {pages}}}")
    assert found.methods == ("GET",)
    assert found.origins == {"https://a.de", "http://localhost:8080"}
    assert found.redirect == "https://a.de/danke?x=ş"


def test_rules_share_a_path_with_the_same_sender_only(tmp_path: Path) -> None:
    hook = "trigger: {webhook: {path: x, secret: hook, preset: github}}"
    files = {
        "rules/a.yaml": rule_file(hook),
        "rules/b.yaml": rule_file(hook).replace("id: a", "id: b"),
        "rules/c.yaml": rule_file(
            "trigger: {missing: {of: {webhook: {path: /x, open: true}}, by: '07:00', window: 1h}}"
        ).replace("id: a", "id: c"),
    }
    found = project(tmp_path, files | SECRETS, HOOK=SECRET)
    (problem,) = found.problems
    assert (problem.file, problem.code, problem.line, problem.column) == ("rules/c.yaml", "WBX319", 5, 46)
    assert "the path `x` has another preset and secret and open elsewhere" in problem.message
    assert "rules/a.yaml:5" in (problem.hint or "")
    assert [one.id for one in found.rules] == ["a", "b"]


NAMING = "trigger: {webhook: {path: x, open: true, id: \"headers['x-order']\"}}\n"


def test_a_rule_knows_which_headers_it_may_look_at(tmp_path: Path) -> None:
    found = rule(
        tmp_path,
        NAMING + 'if: headers["X-Kind"] is defined\n'
        "send: {text: \"{{ headers.origin }}{% set h = headers %}{{ h['x-far'] }}{% include 'more.j2' %}\"}",
        **{"templates/more.j2": "{{ headers['x-more'] }}"},
    )
    assert {"x-order", "x-kind", "origin", "x-far", "x-more"} <= found.headers


def test_a_rule_without_a_webhook_looks_at_no_headers(tmp_path: Path) -> None:
    assert rule(tmp_path, 'send: {text: "headers x-a"}').headers == frozenset()


@pytest.mark.parametrize("name", ["x-api-key", "authorization", "x-jwt"])
def test_a_header_that_is_never_kept_is_a_mistake(tmp_path: Path, name: str) -> None:
    found = mistake(tmp_path, f"trigger: {{webhook: {{path: x, open: true}}}}\nif: headers['{name}'] == 'a'")
    assert (found.code, found.line, found.column) == ("WBX308", 6, 18)
    assert found.message == f"the header `{name}` is not kept"
