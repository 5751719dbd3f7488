"""Texts: suggestions, one line for a database, and nothing that a terminal would obey."""

from hypothesis import given
from hypothesis import strategies as st

from wbox_notify.model.text import did_you_mean, one_line, printable


def test_the_nearest_known_word_is_suggested_or_none() -> None:
    assert did_you_mean("tempalte", ["text", "template"]) == "did you mean `template`?"
    assert did_you_mean("xyz", ["text", "template"]) is None
    assert did_you_mean("xyz", []) is None


@given(st.text())
def test_one_line_can_be_stored_and_has_no_end_of_line(text: str) -> None:
    line = one_line(text)
    line.encode()  # or it raises
    assert not {"\n", "\0"} & {*line}


def test_a_name_that_is_no_text_is_escaped() -> None:
    assert one_line("a\udcff\nb") == "a\\udcff b"
    assert printable("a\udcff\nb") == "a\\udcff\\nb"


@given(st.text())
def test_a_printable_text_moves_no_cursor_and_turns_no_writing_around(text: str) -> None:
    shown = printable(text).replace("\u200c", "").replace("\u200d", "")
    assert not {"\n", "\r", "\x1b", "\u202e", "\u2066"} & {*shown}
    shown.encode()  # or it raises


def test_letters_emoji_and_joiners_stay_as_they_are() -> None:
    for text in ("günaydın", "👩\u200d🔧", "می\u200cخواهم", "a b"):
        assert printable(text) == text
    assert printable("a\tb") == "a    b"
