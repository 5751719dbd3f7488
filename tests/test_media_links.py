"""The links of media over HTTP: what a reader gets, and what nobody gets."""

import random
import re
import string
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from bench.processes import forget_most_memory, most_memory
from doorway import LINK_KEY, Doorway, rest, signed_token, status
from hypothesis import given
from hypothesis import strategies as st
from rulebook import PHONE, project, rule_file
from workplace import until

from wbox_notify.media import MediaFiles
from wbox_notify.media.kinds import disposition
from wbox_notify.model.deliveries import Delivery, Plan, PlannedMessage, Standing, State
from wbox_notify.model.messages import Media
from wbox_notify.rules.project import Live
from wbox_notify.web.media import byte_range
from wbox_notify.web.protocol import Connection

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 800
NOW = 1_800_000_000.0
RULE = 'trigger: {file: {path: drop}}\nsend: {media: {file: "{{ file.path }}"}}'
SETTINGS = "public_url: https://notify.example.com\nmedia: {fetches: 3}\n"


class Patient(Connection):
    """The connection of a test that reads slowly."""

    write_timeout = 60.0


class Lender(Doorway):
    """A daemon's HTTP side that lends files."""

    def __init__(self, folder: Path, name: str = "a.png", content: bytes = PNG) -> None:
        (folder / "drop").mkdir()
        files = {"rules/a.yaml": rule_file(RULE), "wbox-notify.yaml": SETTINGS}
        found = project(folder, files, WBOX_DATA_DIR=str(folder / "data"))
        found = replace(found, settings=replace(found.settings, link_key=LINK_KEY))
        self.folder, self.now = folder, NOW
        self.standings: dict[str, Standing] = {}
        self.media = MediaFiles(
            Live(found), lambda _keys: self.standings, serving=True, clock=lambda: self.now
        )
        super().__init__(folder, files=self.media, protocol=Patient)
        self.path = self.lend(name, content)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.media.close()

    def lend(self, name: str, content: bytes, key: str = "k") -> str:
        """Return the path of the link of a file."""
        path = self.folder / "drop" / name
        path.write_bytes(content)
        message = Media(phone=PHONE, file=str(path))
        planned = PlannedMessage(key=key, rule="a", message=message)
        [kept] = self.media.keep(Plan(event_id="e", messages=(planned,))).messages
        assert kept.problem is None
        delivery = Delivery(
            id=1,
            key=key,
            event_id="e",
            rule="a",
            device="",
            message=message,
            state=State.SENDING,
            due=NOW,
            created=NOW,
            expires=NOW + 86400,
        )
        published = self.media.publish(delivery, message)
        assert isinstance(published, Media)
        return str(published.url).removeprefix("https://notify.example.com")

    def get(self, path: str, method: str = "GET", **headers: str) -> requests.Response:
        return requests.request(method, self.url + path, headers=headers, timeout=20)


@pytest.fixture
def lender(tmp_path: Path) -> Iterator[Lender]:
    with Lender(tmp_path) as made:
        yield made


def test_a_picture_arrives_byte_for_byte_with_headers_that_keep_it_private(lender: Lender) -> None:
    got = lender.get(lender.path)
    assert (got.status_code, got.content) == (200, PNG)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-length"] == str(len(PNG))
    assert got.headers["content-disposition"] == "inline; filename=\"a.png\"; filename*=UTF-8''a.png"
    assert got.headers["cache-control"] == "private, no-store"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["x-robots-tag"] == "noindex"
    assert got.headers["referrer-policy"] == "no-referrer"
    assert "sandbox" in got.headers["content-security-policy"]
    assert "script" not in got.headers["content-security-policy"]
    assert "set-cookie" not in got.headers
    assert "access-control-allow-origin" not in got.headers


def test_a_link_works_through_the_name_of_the_outside(lender: Lender) -> None:
    assert lender.get(lender.path, Host="notify.example.com").status_code == 200


def test_a_document_is_saved_and_not_shown_whatever_it_calls_itself(lender: Lender) -> None:
    page = lender.lend("şifre.html", b"<script>alert(1)</script>", key="page")
    got = lender.get(page)
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.headers["content-disposition"].startswith("attachment;")
    assert "filename*=UTF-8''%C5%9Fifre.html" in got.headers["content-disposition"]
    got.headers["content-disposition"].encode("ascii")


def test_U07_HEAD_tells_and_gives_and_counts_nothing(lender: Lender) -> None:
    for _ in range(10):
        got = lender.get(lender.path, "HEAD", Range="bytes=0-1")
        assert (got.status_code, got.content) == (200, b"")
        assert got.headers["content-length"] == str(len(PNG))
    assert lender.get(lender.path).content == PNG


@pytest.mark.parametrize(
    ("asked", "given_", "place"),
    [
        ("bytes=0-9", PNG[:10], "0-9"),
        ("bytes=10-", PNG[10:], f"10-{len(PNG) - 1}"),
        ("bytes=-5", PNG[-5:], f"{len(PNG) - 5}-{len(PNG) - 1}"),
        (f"bytes=5-{10**14}", PNG[5:], f"5-{len(PNG) - 1}"),
        ("bytes=0-0", PNG[:1], "0-0"),
        ("BYTES=70000-140000", PNG[70000:140001], "70000-140000"),
    ],
)
def test_U07_a_part_is_given_as_asked(lender: Lender, asked: str, given_: bytes, place: str) -> None:
    got = lender.get(lender.path, Range=asked)
    assert (got.status_code, got.content) == (206, given_)
    assert got.headers["content-range"] == f"bytes {place}/{len(PNG)}"
    assert got.headers["content-length"] == str(len(given_))


@pytest.mark.parametrize("asked", [f"bytes={len(PNG)}-", "bytes=-0", f"bytes={10**14}-{10**14 + 1}"])
def test_U07_a_part_that_is_not_there_is_416(lender: Lender, asked: str) -> None:
    got = lender.get(lender.path, Range=asked)
    assert (got.status_code, got.content) == (416, b"")
    assert got.headers["content-range"] == f"bytes */{len(PNG)}"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,3-4", "bytes=a-b", "bytes=-", "bytes=9-5", "lines=1-2", "bytes=0-1x"]
)
def test_U07_what_asks_for_no_single_part_is_given_all(lender: Lender, asked: str) -> None:
    assert lender.get(lender.path, Range=asked).content == PNG


def test_a_part_on_a_condition_is_given_whole(lender: Lender) -> None:
    got = lender.get(lender.path, Range="bytes=0-1", **{"If-Range": '"x"'})
    assert (got.status_code, got.content) == (200, PNG)


@given(st.text("bytes=-0123456789, ", max_size=30), st.integers(1, 1000))
def test_any_range_is_a_part_of_the_file_or_none(asked: str, size: int) -> None:
    span = byte_range(asked, size)
    assert span is None or (0 <= span.start < span.stop <= size and span.step == 1)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 40))
def test_a_range_is_the_bytes_from_its_first_to_its_last(first: int, last: int, size: int) -> None:
    content = list(range(size))
    span = byte_range(f"bytes={first}-{last}", size)
    if last < first:
        assert span == range(size)
    else:
        assert [content[place] for place in span or ()] == content[first : last + 1]


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=40))
def test_any_name_makes_one_header_line(name: str) -> None:
    line = disposition(name, "text/plain")
    assert line.isascii()
    assert line.isprintable()
    assert re.fullmatch(r'attachment; filename="[^"\\]*"; filename\*=UTF-8\'\'[\w.~%-]*', line, re.ASCII)


def test_U07_every_link_that_does_not_work_gets_the_same_answer(lender: Lender) -> None:
    _, _, token, name = lender.path.split("/")
    ack = signed_token("ack", f"{'0' * 32}.{int(NOW) + 1000}")
    unknown = signed_token("media", f"{'0' * 32}.{int(NOW) + 1000}")
    odd = [signed_token("media", value) for value in ("", ".", "x", "x.1")]
    paths = [
        f"/m/{token}x/{name}",
        f"/m/{token[:-1]}/{name}",
        f"/m/{token.upper()}/{name}",
        f"/m/{token}/b.png",
        f"/m/{token}/",
        f"/m/{token}",
        f"/m/{token}/..%2F{name}",
        f"/m/{token}/../{name}",
        f"/m/{token}/{name}/",
        "/m/..%2F..%2Fetc%2Fpasswd/a.png",
        "/m/%00/a.png",
        "/m/%FF/%FF",
        "/m/",
        *(f"/m/{one}/{name}" for one in (ack, unknown, *odd)),
    ]
    answers = {(path, status(raw := _raw(lender, path)), _plain(raw)) for path in paths}
    assert {code for _, code, _ in answers} == {404}
    lender.now = NOW + 86400 + 3600
    over = _raw(lender, lender.path)
    assert status(over) == 404
    lender.now = NOW
    lender.standings["k"] = Standing(State.CANCELLED, NOW)
    assert _plain(_raw(lender, lender.path)) == _plain(over)
    assert {plain for _, _, plain in answers} == {_plain(over)}
    lender.standings.clear()
    assert lender.get(lender.path).status_code == 200


def _raw(lender: Lender, path: str) -> bytes:
    return lender.wire(f"GET {path} HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n".encode())


def _plain(answer: bytes) -> bytes:
    return re.sub(rb"\r\ndate: [^\r]*", b"", answer)


def test_U07_a_thousand_guesses_find_nothing(lender: Lender) -> None:
    chance = random.Random(7)
    letters = string.ascii_lowercase + string.digits
    with requests.Session() as session:
        for _ in range(1000):
            token = "".join(chance.choices(letters, k=chance.choice([26, 52, 104, 136])))
            assert session.get(f"{lender.url}/m/{token}/a.png", timeout=10).status_code == 404


def test_U07_a_link_is_used_up_by_so_many_whole_fetches_also_in_parts(lender: Lender) -> None:
    half = len(PNG) // 2
    for _ in range(2):
        assert lender.get(lender.path).status_code == 200
    assert lender.get(lender.path, Range=f"bytes=0-{half - 1}").status_code == 206
    assert lender.get(lender.path).status_code == 404
    assert lender.get(lender.path, Range=f"bytes={half}-").status_code == 206
    assert lender.get(lender.path, Range="bytes=0-0").status_code == 404
    assert lender.get(lender.path, "HEAD").status_code == 200


def test_nobody_changes_anything_through_a_link(lender: Lender) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert lender.get(lender.path, method).status_code == 405


def test_a_reader_who_stops_holds_nobody_up_and_what_was_not_taken_is_not_counted(lender: Lender) -> None:
    large = b"%PDF-1.7\n" + bytes(30 << 20)
    path = lender.lend("large.pdf", large, key="large")
    before = forget_most_memory()
    stopped = [lender.connect() for _ in range(3)]
    for connection in stopped:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert lender.get(lender.path).content == PNG, "others are served meanwhile"
    assert lender.get(path).status_code == 404, "three are fetching it, and three may"
    assert most_memory() - before < 20, "it goes in pieces"
    for connection in stopped:
        connection.close()
    until(lambda: lender.get(path).status_code == 200)


def test_a_reader_gets_all_of_a_large_file(lender: Lender) -> None:
    large = b"%PDF-1.7\n" + random.Random(1).randbytes(30 << 20)
    path = lender.lend("large.pdf", large, key="large")
    assert lender.get(path).content == large


def test_a_copy_that_is_deleted_while_it_is_read_is_read_to_its_end(lender: Lender) -> None:
    large = b"%PDF-1.7\n" + bytes(8 << 20)
    path = lender.lend("large.pdf", large, key="large")
    with lender.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        first = connection.recv(1000)
        lender.standings["large"] = Standing(State.CANCELLED, NOW)
        assert lender.media.sweep(NOW) == 1
        whole = first + rest(connection)
    assert whole.endswith(large)
    assert lender.get(path).status_code == 404
