"""Bodies: JSON, forms and text from anybody, as data that is safe to keep."""

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wbox_notify.triggers.webhook.bodies import (
    BodyError,
    KindError,
    any_body,
    form_body,
    json_body,
    object_body,
    text_body,
)


def says(body: bytes) -> str:
    with pytest.raises(BodyError) as caught:
        json_body(body)
    return str(caught.value)


REFUSED = [
    (b"", "not JSON: Expecting value, line 1, column 1"),
    (b'{"a":\n 1,}', "line 2, column "),
    (b"{} {}", "Extra data"),
    (b"\xef\xbb\xbf\xef\xbb\xbf{}", "BOM"),
    (b'{"a": "\xff"}', "not in UTF-8: byte 8"),
    (b'"\xff"', "not in UTF-8: byte 2"),
    ('{"a": "ş"}'.encode("cp1254"), "not in UTF-8: byte 8"),
    ('{"a": 1}'.encode("utf-16"), "not in UTF-8"),
    (b'"\xed\xa0\x80"', "not in UTF-8"),
    (b"NaN", "NaN"),
    (b"[Infinity]", "Infinity"),
    (b'{"a": -Infinity}', "-Infinity"),
    (b"1e999", "1e999 is too large"),
    (b"-1e999", "too large"),
    (b'{"a": 1, "b": {"c": 1, "c": 2}}', 'the key "c" comes twice'),
    (b'{"a\\u0000": 1, "a\\ufffd": 2}', "comes twice"),
    (b"[" * 33 + b"]" * 33, "more than 32 levels"),
    (b'{"a":' * 33 + b"1" + b"}" * 33, "more than 32 levels"),
    (b"[" * 200_000, "more than 32 levels"),
    (b'["\\\\",' * 100_000, "more than 32 levels"),
    (b"[" + b"[]," * 125_000 + b"1]", "more than 250,000 values"),
    (b'{"a": [' + b"1," * 249_999 + b"1]}", "more than 250,000 values"),
    (b'["\\\\", ' + b"[" * 32 + b'"]' + b"]" * 32, "more than 32 levels"),
    (b"1" * 4301, "more than 4300 digits"),
    (b"-" + b"1" * 4301, "more than 4300 digits"),
    (b'"a\nb"', "Invalid control character"),
    (b'"\x00"', "Invalid control character"),
    (b"'a'", "Expecting value"),
]


@pytest.mark.parametrize(("body", "words"), REFUSED, ids=range(len(REFUSED)))
def test_W05_json_that_readers_disagree_on_is_refused_in_words(body: bytes, words: str) -> None:
    assert words in says(body)


READ = [
    (b'{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
    (b" 7 ", 7),
    (b'\xef\xbb\xbf{"a": "\xef\xbb\xbf"}', {"a": "\ufeff"}),
    (b"[" * 32 + b"]" * 32, None),
    (b'["[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "\\\\"]', None),
    (b'["\\\\", "' + b"[" * 33 + b'"]', ["\\", "[" * 33]),
    (b"9" * 4300, 10**4300 - 1),
    (b'"\\ud83d\\ude00"', "😀"),
    (b'["\\ud800", "a\\u0000b"]', ["\ufffd", "a\ufffdb"]),
    (b'{"\\udfff\\u0000": "\\udfff"}', {"\ufffd\ufffd": "\ufffd"}),
    (b"1e-999", 0.0),
    (b'["' + b'[,{\\",' * 200_000 + b'"]', None),
    (b"[" + b"1," * 249_998 + b"1]", None),
]


@pytest.mark.parametrize(("body", "value"), READ, ids=range(len(READ)))
def test_json_is_read(body: bytes, value: Any) -> None:
    assert json_body(body) == (json.loads(body) if value is None else value)


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    LEAVES, lambda part: st.lists(part, max_size=4) | st.dictionaries(TEXTS, part, max_size=4), max_leaves=20
)


@given(VALUES)
def test_what_json_writes_is_read_the_same(value: Any) -> None:
    assert json_body(json.dumps(value).encode()) == value
    assert json_body(json.dumps(value, ensure_ascii=False, indent=1).encode()) == value


TOKENS = st.sampled_from(
    ["[", "]", "{", "}", '"', "\\", "\\u0000", "\\ud800", ":", ",", "1e999", "NaN", "-", "9", " ", "ş"]
)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        for part in parts:
            yield from texts(part)


@given(st.binary() | st.lists(TOKENS, max_size=60).map(lambda parts: "".join(parts).encode()))
@example(b'{"a":1,"a":2}')
def test_W05_any_bytes_are_read_or_refused_and_what_is_read_can_be_kept(body: bytes) -> None:
    for reader in (json_body, form_body, text_body):
        try:
            value = reader(body)
        except BodyError:
            continue
        assert not any("\0" in text for text in texts(value))
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


def test_a_form_gives_its_fields() -> None:
    body = b"text=Merhaba+d%C3%BCnya&empty=&tag=a&tag=b&=x"
    assert form_body(body) == {"text": "Merhaba dünya", "empty": "", "tag": ["a", "b"], "": "x"}
    assert form_body(b"") == {}
    assert form_body("ad=Ayşe&x=%00".encode()) == {"ad": "Ayşe", "x": "\ufffd"}


@pytest.mark.parametrize(
    ("body", "words"), [(b"a=%ff", "UTF-8"), (b"a=\xff", "UTF-8"), (b"&" * 1000, "1000 fields")]
)
def test_a_form_that_is_no_text_or_has_too_many_fields_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(BodyError, match=words):
        form_body(body)


SIGNS = st.sampled_from(["%", "%C3%BC", "%c3", "%f", "41", "+", "=", "&", ";", "a", "ş", "%00", "%EF%BB%BF"])


@given(st.sampled_from([0, *range(65530, 65540)]), st.lists(SIGNS, max_size=20).map("".join))
def test_a_form_is_read_as_the_standard_library_reads_it_wherever_a_block_ends(
    before: int, rest: str
) -> None:
    text = f"a={'x' * before}{rest}"
    try:
        fields = parse_qs(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(BodyError, match="UTF-8"):
            form_body(text.encode())
        return
    expected: dict[str, list[str]] = {}
    for name, values in fields.items():
        clean = [value.replace("\0", "\ufffd") for value in values]
        expected.setdefault(name.removeprefix("\ufeff").replace("\0", "\ufffd"), []).extend(clean)
    read = form_body(text.encode())
    lists = {name: value if isinstance(value, list) else [value] for name, value in read.items()}
    assert {name: sorted(values) for name, values in lists.items()} == {
        name: sorted(values) for name, values in expected.items()
    }


@pytest.mark.parametrize("escapes", [b"%41", b"%41xx"])
def test_a_form_that_is_all_escapes_takes_a_few_times_its_own_memory(escapes: bytes) -> None:
    body = b"a=" + escapes * (1_000_000 // len(escapes))
    tracemalloc.start()
    try:
        form_body(body)
        assert tracemalloc.get_traced_memory()[1] < 15 * len(body)
    finally:
        tracemalloc.stop()


def test_the_mark_of_utf_8_is_no_part_of_a_form_or_a_text() -> None:
    assert form_body(b"\xef\xbb\xbfa=1&b=\xef\xbb\xbf2") == {"a": "1", "b": "\ufeff2"}
    assert form_body(b"%EF%BB%BFa=1") == {"a": "1"}
    assert text_body(b"\xef\xbb\xbfMerhaba") == "Merhaba"


@pytest.mark.parametrize(
    "kind",
    ["image/png", "multipart/mixed; boundary=x", "application/xml", "application/json; charset=latin1"],
)
def test_a_kind_that_is_not_read_is_told_from_one_that_is_spoilt(kind: str) -> None:
    for reader in (any_body, object_body):
        with pytest.raises(KindError):
            reader(kind, b"{}")


@given(st.binary() | st.lists(TOKENS, max_size=20).map(lambda parts: "".join(parts).encode()), st.text())
def test_a_body_of_any_kind_is_read_or_refused(body: bytes, kind: str) -> None:
    for said in (kind, "text/plain", "application/json", "application/x-www-form-urlencoded", ""):
        for reader in (any_body, object_body):
            with suppress(BodyError):
                json.dumps(reader(said, body), allow_nan=False)


def test_text_is_taken_up_to_256_kib() -> None:
    assert text_body(b"Merhaba\0") == "Merhaba\ufffd"
    assert len(text_body(b"x" * 262_144)) == 262_144
    with pytest.raises(BodyError, match="256 KiB"):
        text_body(b"x" * 262_145)
    with pytest.raises(BodyError, match="UTF-8"):
        text_body(b"\xe7ay")
