"""Signatures: who may set off a webhook. What is right is told by the vectors, never by our own code."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import page

from wbox_notify.errors import ConfigError
from wbox_notify.triggers.webhook.presets import PRESETS
from wbox_notify.triggers.webhook.signatures import _SCHEMES, Call, Scheme, SignatureError, scheme

FILE = json.loads((Path(__file__).parent / "data" / "signature_vectors.json").read_text(encoding="utf-8"))
VECTORS = {vector["id"]: vector for vector in FILE["vectors"] if vector["scheme"] != "twilio"}
KINDS = {"standard_webhooks": "standard", "gitlab_token": "gitlab"}
SIGNED = {
    name: one for name, one in VECTORS.items() if one["scheme"] not in {"gitlab_token", "basic", "bearer"}
}
TIMED = {name: one for name, one in VECTORS.items() if "timestamp" in one}
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret, just as long").decode()
NOW = 1_800_000_000

each = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
each_signed = pytest.mark.parametrize("vector", SIGNED.values(), ids=SIGNED)
each_timed = pytest.mark.parametrize("vector", TIMED.values(), ids=TIMED)


def secret_of(vector: Mapping[str, Any]) -> bytes | str:
    if "secret_hex" in vector:
        return bytes.fromhex(vector["secret_hex"])
    return str(vector.get("secret") or vector.get("password") or vector["token"])


def scheme_of(vector: Mapping[str, Any], *secrets: bytes | str) -> Scheme:
    kind = KINDS.get(vector["scheme"], vector["scheme"])
    options = vector.get("options", {}) | ({"user": vector["user"]} if "user" in vector else {})
    return scheme(kind, secrets or [secret_of(vector)], options)


def headers_of(vector: Mapping[str, Any], **changed: bytes) -> list[tuple[bytes, bytes]]:
    headers = {name.lower(): value.encode() for name, value in vector["headers"].items()}
    return [(name.encode(), value) for name, value in (headers | changed).items()]


def call(headers: list[tuple[bytes, bytes]], body: bytes = b"") -> Call:
    return Call(method="POST", path="/hook/x", query=b"", headers=headers, body=body)


def call_of(vector: Mapping[str, Any], **changed: bytes) -> Call:
    return call(headers_of(vector, **changed), vector.get("body", "").encode())


def time_of(vector: Mapping[str, Any]) -> int:
    return int(vector.get("timestamp", NOW))


def refused(checked: Scheme, came: Call, now: float, why: str | None = None) -> None:
    with pytest.raises(SignatureError, match=why):
        checked.verify(came, now)


@each
def test_a_call_signed_as_the_provider_signs_is_let_in(vector: Mapping[str, Any]) -> None:
    scheme_of(vector).verify(call_of(vector), time_of(vector))


def test_all_vectors_are_used_but_the_one_of_a_scheme_that_we_do_not_have() -> None:
    assert len(VECTORS) == len(FILE["vectors"]) - 1


@each_signed
def test_a_body_with_one_bit_changed_is_refused(vector: Mapping[str, Any]) -> None:
    body = bytearray(vector["body"].encode())
    body[-1] ^= 1
    refused(
        scheme_of(vector), call(headers_of(vector), bytes(body)), time_of(vector), "does not match our secret"
    )


@each
def test_another_secret_is_refused(vector: Mapping[str, Any]) -> None:
    refused(scheme_of(vector, OTHER_SECRET), call_of(vector), time_of(vector), "does not match our secret")


@each
def test_a_call_without_the_header_is_refused(vector: Mapping[str, Any]) -> None:
    left = [pair for pair in headers_of(vector) if pair[0] != vector["header_checked"].lower().encode()]
    refused(scheme_of(vector), call(left, call_of(vector).body), time_of(vector), "is missing")


@each
@pytest.mark.parametrize(
    "value", [b"", b" ", b"\xff\xfe", b"\x00", b"=", b",", b"v1,", b"v1=", b"x" * 100_000]
)
def test_a_header_with_anything_else_in_it_is_refused(vector: Mapping[str, Any], value: bytes) -> None:
    changed = call_of(vector, **{vector["header_checked"].lower(): value})
    refused(scheme_of(vector), changed, time_of(vector))


@each
def test_bytes_that_are_no_ascii_behind_a_signature_are_refused(vector: Mapping[str, Any]) -> None:
    name, good = vector["header_checked"], vector["computed"].encode()
    bad = vector["headers"][name].encode().replace(good, good[:-1] + b"\xff")
    changed = call_of(vector, **{name.lower(): bad})
    refused(scheme_of(vector), changed, time_of(vector))


@each
def test_any_header_of_a_signature_that_came_twice_is_refused(vector: Mapping[str, Any]) -> None:
    for name, value in headers_of(vector):
        if name == b"x-webhook-hmac-algorithm":
            continue
        came = call([*headers_of(vector), (name, value)], call_of(vector).body)
        refused(scheme_of(vector), came, time_of(vector), "came 2 times")


@each_timed
@pytest.mark.parametrize("late", [301, -301])
def test_T08_a_call_signed_five_minutes_and_a_second_off_is_refused(
    vector: Mapping[str, Any], late: int
) -> None:
    refused(
        scheme_of(vector), call_of(vector), time_of(vector) + late, "301 s ago" if late > 0 else "301 s ahead"
    )


@each_timed
@pytest.mark.parametrize("late", [300, -300])
def test_a_call_signed_five_minutes_off_is_let_in(vector: Mapping[str, Any], late: int) -> None:
    scheme_of(vector).verify(call_of(vector), time_of(vector) + late)


NUMBERS = ["abc", "1e9", "nan", "1614265330.5", "-1", "+1614265330", "1614265330x", "١٦١٤٢٦٥٣٣٠"]
TIMES = [*NUMBERS, "", " ", "1" * 400]


@each_timed
@pytest.mark.parametrize("text", TIMES)
def test_a_time_that_is_no_plain_number_is_refused(vector: Mapping[str, Any], text: str) -> None:
    name = next((name for name in vector["headers"] if "timestamp" in name.lower()), None)
    if name is None:
        name = vector["header_checked"]
        text = vector["headers"][name].replace("1614265330", text)
    refused(scheme_of(vector), call_of(vector, **{name.lower(): text.encode()}), time_of(vector))


def test_a_stripe_signature_with_two_times_or_none_or_only_the_old_version_is_refused() -> None:
    vector = VECTORS["stripe"]
    time, new, old = vector["headers"]["Stripe-Signature"].split(",")
    for value in (f"{time},{time},{new}", new, f"{time},{old}", f"{time},v1={old[3:]}"):
        refused(scheme_of(vector), call_of(vector, **{"stripe-signature": value.encode()}), time_of(vector))
    both = f"{time},v1={'0' * 64},{new}"
    scheme_of(vector).verify(call_of(vector, **{"stripe-signature": both.encode()}), time_of(vector))


@pytest.mark.parametrize("value", ["garbage", "v1", "v1,%%%", "v1,a,b", "v2,{0}", "v1a,{0}", "{0}"])
def test_a_malformed_list_of_signatures_is_refused(value: str) -> None:
    vector = VECTORS["standard-webhooks-official"]
    code = vector["computed"].removeprefix("v1,")
    came = call_of(vector, **{"webhook-signature": value.format(code).encode()})
    refused(scheme_of(vector), came, time_of(vector))


def test_a_hex_digest_in_upper_case_is_let_in() -> None:
    vector = VECTORS["github-official"]
    upper = b"sha256=" + vector["computed"].removeprefix("sha256=").upper().encode()
    scheme_of(vector).verify(call_of(vector, **{"x-hub-signature-256": upper}), NOW)


def test_the_old_signature_of_github_alone_is_refused() -> None:
    vector = VECTORS["github-official"]
    body = vector["body"].encode()
    old = hmac.new(vector["secret"].encode(), body, "sha1").hexdigest()
    refused(scheme_of(vector), call([(b"x-hub-signature", f"sha1={old}".encode())], body), NOW, "is missing")


@pytest.mark.parametrize("delivery", [b"msg.1800000000", b"msg.1", b".", b""])
def test_an_id_with_a_dot_in_it_or_none_at_all_is_refused(delivery: bytes) -> None:
    """What is signed is joined with dots: the id ``msg`` with the body ``T.{}`` is ``msg.T`` with ``{}``."""
    made = scheme("standard", ["whsec_" + base64.b64encode(b"k" * 32).decode()], {})
    stamp = b"%d" % NOW
    signed = hmac.new(b"k" * 32, b"%s.%s.{}" % (delivery, stamp), hashlib.sha256).digest()
    headers = [(b"webhook-timestamp", stamp), (b"webhook-signature", b"v1," + base64.b64encode(signed))]
    refused(made, call([(b"webhook-id", delivery), *headers], b"{}"), NOW, "is empty or contains a dot")


@pytest.mark.parametrize(
    ("kind", "options", "notes"),
    [
        ("standard", {}, ()),
        ("stripe", {}, ()),
        ("bearer", {}, ()),
        ("basic", {"user": "u"}, ()),
        ("github", {}, ("no signed time",)),
        ("hmac", {"header": "X", "algorithm": "sha1"}, ("SHA-1", "no signed time")),
        ("hmac", {"header": "X", "timestamp_header": "Y", "signed": "{timestamp}.{body}"}, ()),
    ],
)
def test_what_is_worth_knowing_of_a_proof_is_noted(
    kind: str, options: dict[str, str], notes: tuple[str, ...]
) -> None:
    assert scheme(kind, ["c2VjcmV0"], options).notes == notes


def test_shopify_may_sign_under_its_newer_header() -> None:
    vector = VECTORS["shopify"]
    came = call([(b"shopify-hmac-sha256", vector["computed"].encode())], vector["body"].encode())
    scheme_of(vector).verify(came, NOW)


def test_base64_with_anything_in_between_is_refused() -> None:
    vector = VECTORS["shopify"]
    for mark in ("-", "%", " "):
        spoilt = vector["computed"][:9] + mark + vector["computed"][9:]
        refused(scheme_of(vector), call_of(vector, **{"x-shopify-hmac-sha256": spoilt.encode()}), NOW)


def test_grafana_signs_the_body_and_before_it_the_time_if_it_sends_one() -> None:
    vector = VECTORS["generic-ts-template"]
    made = scheme("grafana", [vector["secret"]], {"timestamp_header": "X-Grafana-Alerting-Timestamp"})
    made.verify(call_of(vector), time_of(vector))
    refused(made, call_of(vector), time_of(vector) + 301, "301 s ago")
    refused(scheme("grafana", [vector["secret"]], {}), call_of(vector), time_of(vector))
    gitea = VECTORS["gitea"]
    made = scheme("grafana", [gitea["secret"]], {"header": "X-Gitea-Signature"})
    made.verify(call_of(gitea), time_of(gitea))


@pytest.mark.parametrize("authorization", ["bearer {0}", "BEARER {0}", "Bearer   {0}"])
def test_the_word_before_a_token_may_be_written_in_any_way(authorization: str) -> None:
    vector = VECTORS["bearer-rfc6750"]
    came = call_of(vector, authorization=authorization.format(vector["token"]).encode())
    scheme_of(vector).verify(came, NOW)


@pytest.mark.parametrize("password", ["with:colons:in:it", ":", "ş"])
def test_a_password_may_have_colons_and_any_letters(password: str) -> None:
    sent = base64.b64encode(f"ayşe:{password}".encode())
    made = scheme("basic", [password], {"user": "ayşe"})
    made.verify(call([(b"authorization", b"Basic " + sent)]), NOW)
    refused(scheme("basic", [password], {"user": "ays"}), call([(b"authorization", b"Basic " + sent)]), NOW)


def test_a_secret_in_any_header_is_let_in_and_nothing_else() -> None:
    made = scheme("header", ["k-1"], {"header": "X-Api-Key"})
    made.verify(call([(b"x-api-key", b"k-1")]), NOW)
    for value in (b"k-2", b"k-1k-1", b"K-1", b"k-", b""):
        refused(made, call([(b"x-api-key", value)]), NOW)


@each
def test_W12_while_a_secret_is_changed_both_are_let_in(vector: Mapping[str, Any]) -> None:
    for secrets in ([OTHER_SECRET, secret_of(vector)], [secret_of(vector), OTHER_SECRET]):
        scheme_of(vector, *secrets).verify(call_of(vector), time_of(vector))


@each
def test_the_secret_and_the_signature_are_never_to_be_seen_or_kept(vector: Mapping[str, Any]) -> None:
    made = scheme_of(vector, OTHER_SECRET)
    assert vector["header_checked"].lower().encode() in made.secret_headers
    shown = repr(made)
    with pytest.raises(SignatureError) as caught:
        made.verify(call_of(vector, **{vector["header_checked"].lower(): b"canary"}), time_of(vector))
    for hidden in (OTHER_SECRET, "another secret", "canary"):
        assert hidden not in shown + str(caught.value)


def test_a_secret_shorter_than_24_bytes_is_weak() -> None:
    assert scheme("github", ["x" * 23, "y" * 24], {}).weak
    assert not scheme("github", ["x" * 24], {}).weak
    assert not scheme_of(VECTORS["standard-webhooks-official"]).weak
    assert scheme("standard", [base64.b64encode(b"x" * 23).decode()], {}).weak


IDS = [
    ("standard", {"webhook-id": "msg_1"}, "", "msg_1"),
    ("standard", {"svix-id": "msg_1"}, "", "msg_1"),
    ("github", {"x-github-delivery": "72d3162e"}, "", "72d3162e"),
    ("shopify", {"x-shopify-webhook-id": "b54557e4"}, "", "b54557e4"),
    ("waha", {"x-webhook-request-id": "01k"}, "", "01k"),
    ("gitlab", {"idempotency-key": "f5e5"}, "", "f5e5"),
    ("gitlab", {"x-gitlab-event-uuid": "1379"}, "", None),
    ("bearer", {"idempotency-key": "a"}, "not JSON", "a"),
    ("bearer", {"webhook-id": "w", "idempotency-key": "a"}, "", "w"),
    ("stripe", {}, '{"id": "evt_1"}', "evt_1"),
    ("slack", {}, '{"event_id": "Ev1"}', "Ev1"),
    ("pagerduty", {}, '{"event": {"id": "01B"}}', "01B"),
    ("pagerduty", {}, '{"event": "01B"}', None),
    ("stripe", {}, '{"id": 7}', None),
    ("stripe", {}, '{"id": ""}', None),
    ("stripe", {}, '{"id": " "}', None),
    ("stripe", {}, '{"id": "a\\nb"}', "a\nb"),
    ("stripe", {}, "not JSON", None),
    ("stripe", {}, "[]", None),
    ("github", {"x-github-delivery": "x" * 256}, "", "x" * 256),
    ("github", {}, "", None),
]


@pytest.mark.parametrize(("kind", "headers", "body", "found"), IDS)
def test_a_delivery_has_the_id_that_its_sender_gave_it(
    kind: str, headers: Mapping[str, str], body: str, found: str | None
) -> None:
    came = call([(name.encode(), value.encode()) for name, value in headers.items()], body.encode())
    assert scheme(kind, ["c2VjcmV0"], {}).delivery_id(came) == found


def test_an_id_that_came_twice_is_none() -> None:
    came = call([(b"x-github-delivery", b"1"), (b"x-github-delivery", b"2")])
    assert scheme("github", ["s"], {}).delivery_id(came) is None


WRONG: list[tuple[str, list[Any], dict[str, Any], str]] = [
    ("githb", ["s"], {}, "githb"),
    ("github", [], {}, "needs a secret"),
    ("github", [""], {}, "secret is empty"),
    ("github", ["good", b""], {}, "secret is empty"),
    ("github", ["\ud800"], {}, "`secret` must be text"),
    ("standard", ["whsec_"], {}, "secret is empty"),
    ("standard", ["whsec_%"], {}, "base64"),
    ("github", ["s"], {"header": "X"}, "`github` has no option `header`"),
    ("hmac", ["s"], {}, "needs the option `header`"),
    ("header", ["s"], {}, "needs the option `header`"),
    ("basic", ["s"], {}, "needs the option `user`"),
    ("basic", ["s"], {"user": "a:b"}, "`user`"),
    ("query", ["s"], {"parameter": "a&b"}, "`parameter`"),
    ("query", ["s"], {"header": "X"}, "`query` has no option `header`"),
    ("hmac", ["s"], {"header": "X Y"}, "`header`"),
    ("hmac", ["s"], {"header": "İmza"}, "`header`"),
    ("hmac", ["s"], {"header": 7}, "`header` must be text"),
    ("hmac", ["s"], {"header": "X", "algoritm": "sha256"}, "`algoritm`"),
    ("hmac", ["s"], {"header": "X", "algorithm": "md5"}, "`algorithm` must be one of"),
    ("hmac", ["s"], {"header": "X", "encoding": "base32"}, "`encoding` must be one of"),
    ("hmac", ["s"], {"header": "X", "signed": "{timestamp}"}, "`signed` must contain {body}"),
    ("hmac", ["s"], {"header": "X", "signed": "{id}.{body}"}, "`signed`"),
    ("hmac", ["s"], {"header": "X", "signed": "{timestamp}.{body}"}, "need each other"),
    ("hmac", ["s"], {"header": "X", "timestamp_header": "Y"}, "need each other"),
]


@pytest.mark.parametrize(("kind", "secrets", "options", "named"), WRONG)
def test_what_can_not_be_used_is_named_before_any_call_comes(
    kind: str, secrets: list[Any], options: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        scheme(kind, secrets, options)
    assert named in str(caught.value)


NAMES = st.sampled_from(
    [b"x-sig", b"x-time", b"authorization", b"stripe-signature", b"webhook-id", b"webhook-signature"]
)
MADE = [
    scheme("standard", [OTHER_SECRET], {}),
    scheme("stripe", ["s"], {}),
    scheme("basic", ["s"], {"user": "u"}),
    scheme("bearer", ["s" * 40], {}),
    scheme("hmac", ["s"], {"header": "x-sig", "signed": "{timestamp}{body}", "timestamp_header": "x-time"}),
    scheme("hmac", ["s"], {"header": "x-sig", "algorithm": "sha1", "encoding": "base64"}),
]


@given(st.sampled_from(MADE), st.lists(st.tuples(NAMES, st.binary()), max_size=6), st.binary())
def test_W03_nothing_that_comes_raises_anything_but_a_signature_error(
    made: Scheme, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    came = call(headers, body)
    refused(made, came, NOW)
    made.delivery_id(came)


@given(
    secret=st.binary(min_size=1),
    body=st.binary(),
    time=st.integers(0, 10**12 - 1),
    late=st.floats(-300, 300),
    algorithm=st.sampled_from(["sha256", "sha512", "sha1"]),
    prefix=st.sampled_from(["", "sha=", "v1,"]),
)
def test_any_body_signed_with_any_secret_is_let_in(
    *, secret: bytes, body: bytes, time: int, late: float, algorithm: str, prefix: str
) -> None:
    mac = hmac.new(secret, b"%d|" % time + body + b"|{", getattr(hashlib, algorithm)).hexdigest()
    options = {"header": "X-Sig", "timestamp_header": "X-Time", "signed": "{timestamp}|{body}|{"}
    made = scheme("hmac", [secret], {**options, "algorithm": algorithm, "prefix": prefix})
    sent = [(b"x-sig", f"{prefix}{mac}".encode()), (b"x-time", b"%d" % time)]
    made.verify(call(sent, body), time + late)
    refused(made, call(sent, body + b"x"), time)


@given(st.binary(min_size=1), st.binary())
def test_a_body_that_names_the_fields_of_the_pattern_is_signed_as_it_is(secret: bytes, body: bytes) -> None:
    body += b"{timestamp}{body}{id}\\1\\g<0>"
    mac = base64.b64encode(hmac.new(secret, b"7" + body, hashlib.sha256).digest())
    key = "whsec_" + base64.b64encode(secret).decode()
    made = scheme("standard", [key], {})
    signed = hmac.new(secret, b"{body}.%d.%s" % (NOW, body), hashlib.sha256).digest()
    headers = [(b"webhook-id", b"{body}"), (b"webhook-timestamp", b"%d" % NOW)]
    made.verify(call([*headers, (b"webhook-signature", b"v1," + base64.b64encode(signed))], body), NOW)
    refused(made, call([*headers, (b"webhook-signature", b"v1," + mac)], body), NOW)


@pytest.mark.parametrize("kind", _SCHEMES)
def test_the_page_names_each_header_that_a_scheme_reads(kind: str) -> None:
    read = {
        name.decode()
        for headers in _SCHEMES[kind].headers
        for name in (headers.code, headers.timestamp, headers.id)
        if name
    }
    scheme_rows = page("docs/webhooks").split("| scheme | header |")[1].splitlines()
    cells = next(line for line in scheme_rows if line.startswith(f"| `{kind}` |")).split(" | ")
    assert read <= set(re.findall("`([^`]+)`", cells[1].lower()))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_page_names_the_scheme_of_each_preset(preset: str) -> None:
    preset_rows = page("docs/webhooks").split("| preset | scheme |")[1].splitlines()
    cells = next(line for line in preset_rows if f"`{preset}`" in line).split(" | ")
    assert cells[1].strip(" |") == f"`{PRESETS[preset].scheme}`"
