"""Bodies: JSON, forms and text from anybody, as data that is safe to keep."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wbox_notify.webhooks.bodies import BodyError, form_body, json_body, text_body


def says(body: bytes) -> str:
    with pytest.raises(BodyError) as caught:
        json_body(body)
    return str(caught.value)


REFUSED = [
    (b"", "not JSON: Expecting value, line 1, column 1"),
    (b'{"a":\n 1,}', "line 2, column "),
    (b"{} {}", "Extra data"),
    (b"\xef\xbb\xbf{}", "BOM"),
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


def test_text_is_taken_up_to_256_kib() -> None:
    assert text_body(b"Merhaba\0") == "Merhaba\ufffd"
    assert len(text_body(b"x" * 262_144)) == 262_144
    with pytest.raises(BodyError, match="256 KiB"):
        text_body(b"x" * 262_145)
    with pytest.raises(BodyError, match="UTF-8"):
        text_body(b"\xe7ay")
