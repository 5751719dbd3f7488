"""Presets: what each sender that we know tells, and how it is answered."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wbox_notify.templates import Templates
from wbox_notify.triggers.webhook.bodies import BodyError, json_body
from wbox_notify.triggers.webhook.presets import PRESETS, Item
from wbox_notify.triggers.webhook.signatures import scheme

POSTS = (Path(__file__).parent / "data" / "alertmanager-webhook.txt").read_text(encoding="utf-8")
FIRST, SECOND = [json_body(line.encode()) for line in POSTS.splitlines() if line.startswith("{")]


def items(preset: str, body: Any, **headers: str) -> list[Item]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return PRESETS[preset].items(body, named)


def offered(preset: str) -> set[str]:
    return set(PRESETS[preset].fields["alert"] or ())


def says(preset: str, body: Any, **headers: str) -> str:
    with pytest.raises(BodyError) as caught:
        items(preset, body, **headers)
    return str(caught.value)


def test_a_post_of_alertmanager_tells_of_each_of_its_alerts() -> None:
    one, two = items("alertmanager", FIRST)
    assert (one.key, one.status, one.data["alert"]["labels"]["instance"]) == (
        "9556f853bb27ef8b",
        "firing",
        "db-1",
    )
    assert (two.key, two.status, two.data["alert"]["labels"]["instance"]) == (
        "c5bfa6e8c6ace5cc",
        "firing",
        "db-2",
    )
    assert two.data["alert"]["annotations"] == {"summary": "disk 95% full on db-2"}


def test_the_same_alert_has_the_same_key_when_it_ends() -> None:
    told = [(item.key, item.status) for item in items("alertmanager", SECOND)]
    assert told == [("9556f853bb27ef8b", "resolved"), ("c5bfa6e8c6ace5cc", "firing")]


def test_an_alert_is_given_as_it_came_with_every_name_that_is_offered() -> None:
    for item, sent in zip(items("alertmanager", FIRST), FIRST["alerts"], strict=True):
        assert item.data["alert"] == {**sent, "truncatedAlerts": 0}
        assert item.data["alert"].keys() == offered("alertmanager")


LEAST: dict[str, Any] = {
    "alertmanager": {"alerts": [{"status": "firing", "labels": {}}]},
    "grafana": {"alerts": [{"status": "firing", "labels": {}}]},
    "uptime-kuma": {"msg": "", "heartbeat": {"status": 0}, "monitor": {"id": 7}},
    "healthchecks": {"code": "f1-2", "status": "down"},
}
DOCUMENTED = [(name, field) for name in LEAST for field in PRESETS[name].fields["alert"]]


def test_all_presets_with_names_of_their_own_have_a_least_that_they_need() -> None:
    assert LEAST.keys() == {name for name, preset in PRESETS.items() if preset.fields}


@pytest.mark.parametrize(("preset", "field"), DOCUMENTED)
def test_a_documented_name_that_a_sender_leaves_out_is_empty(preset: str, field: str) -> None:
    (item,) = items(preset, LEAST[preset])
    empty = PRESETS[preset].fields["alert"][field]
    given = {"status": "firing", "id": item.key, "fingerprint": item.key}
    given |= {"monitor": {"id": 7}, "heartbeat": {"status": 0}}
    assert item.data["alert"][field] in (empty, given.get(field))
    assert str(Templates().text(f"{{{{ alert.{field} }}}}").render(item.data)) not in {"None", "null"}


@pytest.mark.parametrize("field", [name for name in PRESETS["grafana"].fields["alert"] if name != "status"])
def test_a_documented_name_that_grafana_sends_as_null_is_empty(field: str) -> None:
    alert = {"status": "firing", "labels": {"a": "b"}, "fingerprint": "f"}
    if field == "labels":
        assert says("grafana", {"alerts": [alert | {field: None}]}) == "`alerts[0].labels` is not an object"
        return
    (item,) = items("grafana", {"alerts": [{**alert, field: None}]})
    empty = item.key if field == "fingerprint" else PRESETS["grafana"].fields["alert"][field]
    assert item.data["alert"][field] == empty


def test_each_alert_says_how_many_alertmanager_left_out() -> None:
    alerts = [{"status": "firing", "labels": {"a": str(number)}} for number in range(2)]
    told = items("alertmanager", {"alerts": alerts, "truncatedAlerts": 37})
    assert [item.data["alert"]["truncatedAlerts"] for item in told] == [37, 37]
    odd = items("alertmanager", {"alerts": alerts, "truncatedAlerts": "many"})
    assert [item.data["alert"]["truncatedAlerts"] for item in odd] == [0, 0]


def test_without_a_fingerprint_the_labels_are_the_key_in_any_order() -> None:
    first = {"status": "firing", "labels": {"a": "1", "b": "2"}}
    same = {"status": "resolved", "labels": {"b": "2", "a": "1"}, "fingerprint": ""}
    other = {"status": "firing", "labels": {"a": "1", "b": "3"}}
    one, two, three = items("alertmanager", {"alerts": [first, same, other]})
    assert one.key == two.key != three.key
    assert one.data["alert"]["fingerprint"] == one.key
    assert one.data["alert"]["annotations"] == {}


def test_an_alert_of_grafana_brings_its_values() -> None:
    alert = {
        "status": "firing",
        "labels": {},
        "fingerprint": "c6e",
        "values": {"B": 44.2},
        "silenceURL": "https://g",
    }
    (item,) = items("grafana", {"alerts": [alert], "orgId": 1})
    assert item.data["alert"]["values"] == {"B": 44.2}
    assert item.data["alert"]["orgId"] == 1
    assert item.data["alert"].keys() == offered("grafana")


KUMA = {
    "heartbeat": {
        "monitorID": 10,
        "status": 0,
        "time": "2026-11-22 10:41:24",
        "msg": "timeout",
        "important": True,
    },
    "monitor": {"id": 10, "name": "Shop", "url": "https://shop.example", "hostname": None, "type": "http"},
    "msg": "[Shop] [🔴 Down] timeout",
}


@pytest.mark.parametrize(
    ("number", "word", "status"),
    [
        (0, "firing", "firing"),
        (1, "resolved", "resolved"),
        (2, "pending", None),
        (3, "maintenance", None),
        (9, "unknown", None),
    ],
)
def test_uptime_kuma_says_in_numbers_what_its_monitor_is(number: int, word: str, status: str | None) -> None:
    (item,) = items("uptime-kuma", KUMA | {"heartbeat": {"status": number, "msg": "timeout"}})
    assert (item.key, item.status) == ("10", status)
    alert = item.data["alert"]
    assert (alert["id"], alert["name"], alert["status"], alert["message"]) == ("10", "Shop", word, "timeout")
    assert alert["monitor"]["url"] == "https://shop.example"
    assert alert.keys() == offered("uptime-kuma")


def test_a_notice_of_uptime_kuma_is_of_no_monitor_and_still_has_every_name() -> None:
    (item,) = items("uptime-kuma", {"heartbeat": None, "monitor": None, "msg": "ends in 7 days"})
    assert (item.key, item.status) == (None, None)
    assert item.data["alert"]["message"] == "ends in 7 days"
    assert item.data["alert"].keys() == offered("uptime-kuma")


@pytest.mark.parametrize(("word", "status"), [("down", "firing"), ("up", "resolved")])
def test_healthchecks_fills_the_body_that_we_tell_to_paste(word: str, status: str) -> None:
    documented = PRESETS["healthchecks"].items.__doc__ or ""
    pasted = next(line for line in documented.splitlines() if "$CODE" in line)
    filled = pasted.replace("$CODE", "f1-2").replace("$NAME_JSON", r'"My \"db\""').replace("$STATUS", word)
    (item,) = items("healthchecks", json_body(filled.encode()))
    assert (item.key, item.status) == ("f1-2", status)
    assert item.data == {"alert": {"id": "f1-2", "name": 'My "db"', "status": status}}
    assert item.data["alert"].keys() == offered("healthchecks")


def test_the_sender_names_the_type_of_the_event() -> None:
    assert items("github", {"ref": "refs/heads/main"}, x_github_event="push") == [Item(type="push")]
    assert items("gitlab", {"object_kind": "push"}, x_gitlab_event="Push Hook") == [Item(type="Push Hook")]
    assert items("stripe", {"id": "evt_1", "type": "charge.failed"}) == [Item(type="charge.failed")]
    assert items("slack", {"type": "event_callback", "event": {"type": "message"}}) == [Item(type="message")]
    assert items("slack", {"type": "app_rate_limited"}) == [Item(type="app_rate_limited")]
    assert items("slack", {"type": "block_actions", "actions": []}) == [Item(type="block_actions")]
    assert items("slack", {"command": "/deploy", "text": ""}) == [Item(type="slash_command")]


@pytest.mark.parametrize("body", [{}, [], None, 7, "text", {"a": 1}])
def test_any_json_is_one_item(body: Any) -> None:
    assert items("json", body) == [Item()]


MALFORMED: list[tuple[str, Any, str]] = [
    ("github", {}, "the header X-GitHub-Event is missing"),
    ("gitlab", {}, "the header X-Gitlab-Event is missing"),
    ("stripe", {"id": "evt"}, "`type` is missing"),
    ("stripe", [], "the body is not a JSON object"),
    ("slack", {"event": {}}, "`event.type` is missing"),
    ("slack", {"a": 1}, "`type` is missing"),
    ("slack", "text", "the body is not a JSON object"),
    ("alertmanager", {}, "`alerts` is missing"),
    ("alertmanager", {"alerts": {}}, "`alerts` is not a list"),
    ("alertmanager", {"alerts": [7]}, "`alerts[0]` is not an object"),
    ("alertmanager", {"alerts": [{"labels": {}}]}, "`alerts[0].status` is missing"),
    ("alertmanager", {"alerts": [{"status": "ok", "labels": {}}]}, "`alerts[0].status` is neither"),
    ("grafana", {"alerts": [FIRST["alerts"][0], {"status": "firing"}]}, "`alerts[1].labels` is missing"),
    ("uptime-kuma", {}, "`msg` is missing"),
    ("uptime-kuma", {"msg": "x"}, "`heartbeat` is missing"),
    ("uptime-kuma", KUMA | {"monitor": None}, "`monitor` is not an object"),
    ("uptime-kuma", KUMA | {"heartbeat": {"status": True}}, "`heartbeat.status` is not a whole number"),
    ("healthchecks", {"name": "n", "status": "up"}, "`code` is missing"),
    ("healthchecks", {"code": "c", "name": "n", "status": "$STATUS"}, "`status` is neither down nor up"),
]


@pytest.mark.parametrize(("preset", "body", "words"), MALFORMED)
def test_what_is_missing_in_a_payload_is_named(preset: str, body: Any, words: str) -> None:
    assert words in says(preset, body)


def test_github_is_answered_when_it_tries_the_hook_out_and_only_then() -> None:
    answer = PRESETS["github"].answer
    assert answer({"zen": "…"}, {"x-github-event": "ping"}) == {"status": "pong"}
    assert answer({"ref": "x"}, {"x-github-event": "push"}) is None


def test_slack_gets_its_challenge_back_and_nothing_else() -> None:
    answer = PRESETS["slack"].answer
    trying: dict[str, Any] = {"type": "url_verification", "challenge": "3eZb", "token": "t"}
    assert answer(trying, {}) == {"challenge": "3eZb"}
    others: list[Any] = [trying | {"type": "event_callback"}, trying | {"challenge": 7}, [], None]
    for body in others:
        assert answer(body, {}) is None
    assert answer(trying | {"challenge": "x" * 1001}, {}) is None


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - {"github", "slack"}))
def test_W13_no_other_call_is_swallowed(name: str) -> None:
    body = {"type": "url_verification", "challenge": "x"}
    assert PRESETS[name].answer(body, {"x-github-event": "ping"}) is None


def test_a_preset_finds_the_id_of_a_delivery_where_its_sender_puts_it() -> None:
    assert PRESETS["github"].delivery_id({}, {"x-github-delivery": "d1"}) == "d1"
    assert PRESETS["stripe"].delivery_id({"id": "evt_1"}, {}) == "evt_1"
    assert PRESETS["json"].delivery_id({"id": "evt_1"}, {"idempotency-key": "k"}) == "k"
    assert PRESETS["alertmanager"].delivery_id(FIRST, {}) is None


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_has_a_way_to_verify_that_needs_nothing_but_a_secret(name: str) -> None:
    scheme(PRESETS[name].scheme, ["a secret that is long enough"], {})


NAMES = st.sampled_from(
    [
        "alerts",
        "status",
        "labels",
        "type",
        "event",
        "msg",
        "monitor",
        "heartbeat",
        "id",
        "name",
        "code",
        "payload",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda part: st.lists(part, max_size=3) | st.dictionaries(NAMES, part), max_leaves=15
)


@given(st.sampled_from(sorted(PRESETS)), JSON, st.booleans())
def test_no_payload_raises_anything_but_a_body_error(name: str, body: Any, header: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    preset = PRESETS[name]
    headers = {"x-github-event": "push", "x-gitlab-event": "Push Hook"} if header else {}
    preset.answer(body, headers)
    preset.delivery_id(body, headers)
    try:
        told = preset.items(body, headers)
    except BodyError:
        return
    assert all(item.data.keys() == preset.fields.keys() for item in told)
