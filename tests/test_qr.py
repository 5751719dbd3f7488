"""QR codes: whatever form wbox gives them in, the terminal shows the same modules."""

import base64
import io
import zlib

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wbox_notify.cli import qr
from wbox_notify.errors import WboxError

TEXT = "2@k3/bQ==,Vt+x0=,b1c=," * 9
MADE = segno.make(TEXT, error="m", micro=False)
MODULES = [bytes(row) for row in MADE.matrix]


def png(**how: object) -> bytes:
    drawn = io.BytesIO()
    MADE.save(drawn, kind="png", **{"scale": 8, "border": 4} | how)
    return drawn.getvalue()


def redrawn(mode: str, size: int | None = None) -> bytes:
    """Return the picture as another program saves it."""
    with Image.open(io.BytesIO(png())) as image:
        other = image.convert(mode)
    if size:
        other = other.resize((size, size), Image.Resampling.BICUBIC)
    drawn = io.BytesIO()
    other.save(drawn, "PNG")
    return drawn.getvalue()


def on_screen(code: qr.Code) -> list[bytes]:
    """Return the modules that a terminal shows, without the margin."""
    rows = []
    for line in qr.lines(code):
        shown = line.removeprefix("\x1b[30;107m").removesuffix("\x1b[0m")
        assert len(shown) == qr.width(code)
        rows += [bytes(mark in "▀█" for mark in shown), bytes(mark in "▄█" for mark in shown)]
    assert not any(map(any, [*rows[:2], *rows[-3:]]))
    assert not any(any(row[:2] + row[-2:]) for row in rows)
    return [row[2:-2] for row in rows[2:-3]]


PICTURES = {
    "scale 1": png(scale=1, border=0),
    "no margin": png(border=0),
    "wide margin": png(border=20),
    "coloured": png(dark="darkblue", light="ivory"),
    "on nothing": png(light=None),
    "gray": redrawn("L"),
    "rgb": redrawn("RGB"),
    "rgba": redrawn("RGBA"),
    "palette": redrawn("P"),
    "300 pixels": redrawn("L", 300),
    "777 pixels": redrawn("RGB", 777),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_a_picture_shows_its_own_modules_on_the_screen(picture: bytes) -> None:
    code = qr.read(picture)
    assert on_screen(code) == MODULES
    assert code.picture == picture


@pytest.mark.parametrize("form", ["data:image/png;base64,{}", "{}", " {}\n"])
def test_a_data_url_and_bare_base64_are_the_picture(form: str) -> None:
    text = base64.b64encode(png()).decode()
    assert qr.read(form.format(text)) == qr.read(form.format(text[:76] + "\n" + text[76:])) == qr.read(png())


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1, max_size=300))
def test_a_text_becomes_the_code_that_holds_it_and_its_picture_the_same(text: str) -> None:
    text = f"2@{text}"
    code = qr.read(text)
    assert on_screen(code) == [bytes(row) for row in segno.make(text.strip(), error="l", micro=False).matrix]
    assert on_screen(qr.read(code.picture)) == on_screen(code)


PLAIN = {
    "white": Image.new("L", (300, 300), "white"),
    "black": Image.new("L", (300, 300), "black"),
    "a frame": Image.new("L", (5000, 10), "white"),
}


@pytest.mark.parametrize("image", PLAIN.values(), ids=PLAIN)
def test_a_picture_without_a_plain_code_is_kept_but_not_drawn(image: Image.Image) -> None:
    drawn = io.BytesIO()
    image.save(drawn, "PNG")
    assert qr.read(drawn.getvalue()) == qr.Code(drawn.getvalue(), ())


@pytest.mark.parametrize("place", [16, 20])
def test_a_picture_that_says_that_it_is_huge_is_not_unpacked(place: int) -> None:
    picture = png()
    picture = picture[:place] + b"\x7f\xff\xff\xff" + picture[place + 4 :]
    assert qr.read(picture) == qr.Code(picture, ())


@pytest.mark.parametrize("first", [b"IHDR" + b"\0\0\0\x15" * 2 + b"\1\0\0\0\0", b"tEXt" + b"\0\0\0\x15" * 2])
def test_a_picture_that_says_it_later_is_not_unpacked(first: bytes) -> None:
    picture = png(scale=80)
    length, check = (number.to_bytes(4) for number in (len(first) - 4, zlib.crc32(first)))
    picture = picture[:8] + length + first + check + picture[8:]
    assert qr.read(picture) == qr.Code(picture, ())


@pytest.mark.parametrize("code", ["data:image/svg+xml;base64,PHN2Zz4=", "data:,x", "2@" + "secret" * 1000])
def test_what_is_no_code_is_an_error_that_does_not_quote_it(code: str) -> None:
    with pytest.raises(WboxError) as caught:
        qr.read(code)
    assert "secret" not in str(caught.value)
    assert "PHN2" not in str(caught.value)


@given(st.data())
def test_a_damaged_picture_is_an_error_or_no_code_and_nothing_worse(data: st.DataObject) -> None:
    picture = bytearray(png(scale=2))
    for place in data.draw(st.lists(st.integers(0, len(picture) - 1), max_size=4)):
        picture[place] = data.draw(st.integers(0, 255))
    del picture[data.draw(st.integers(8, len(picture))) :]
    try:
        code = qr.read(bytes(picture))
    except WboxError:
        return
    assert not code.modules or on_screen(code)


def test_no_repr_shows_a_code() -> None:
    assert repr(qr.read("2@secret")) == "Code()"
