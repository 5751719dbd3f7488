"""Files of this machine as media: what they are, how they are taken in, and how long copies stay."""

import errno
import hashlib
import os
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rulebook import PHONE, project, rule_file
from workplace import a_live, until

from wbox_notify.clients.wbox import Client
from wbox_notify.daemon.housekeeping import Housekeeping
from wbox_notify.dispatch import Dispatcher
from wbox_notify.dispatch.queue import Action, Control
from wbox_notify.engine.rule_tests import run_all
from wbox_notify.errors import MessageError, StoreError
from wbox_notify.media import MediaError, MediaFiles
from wbox_notify.media.ingest import passes, take
from wbox_notify.media.kinds import HEAD, Kind, recognise, safe_name, static_name
from wbox_notify.media.spool import Spool
from wbox_notify.model import signed_links
from wbox_notify.model.deliveries import Delivery, Plan, PlannedMessage, Standing, State
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import digest
from wbox_notify.model.messages import Media, Text
from wbox_notify.rules.project import Live, Project
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_store
from wbox_notify.triggers.file.examine import describe

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 100
NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
RULE = 'trigger: {file: {path: drop}}\nsend: {media: {file: "{{ file.path }}"}}'
PUBLIC = "public_url: https://notify.example.com\n"

Kinds = tuple[bytes, str, str, str]
KINDS: list[Kinds] = [
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a.jpg", "image/jpeg", "image"),
    (PNG, "a.png", "image/png", "image"),
    (b"GIF89a\x01\x00", "a.gif", "image/gif", "image"),
    (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "a.webp", "image/webp", "image"),
    (b"RIFF\x24\x00\x00\x00WAVEfmt ", "a.wav", "application/octet-stream", "document"),
    (b"\x00\x00\x00\x18ftypmp42\x00\x00", "a.mp4", "video/mp4", "video"),
    (b"\x00\x00\x00\x18ftyp3gp5\x00\x00", "a.3gp", "video/3gpp", "video"),
    (b"\x00\x00\x00\x18ftypM4A \x00\x00", "a.m4a", "audio/mp4", "audio"),
    (b"\x00\x00\x00\x18ftypheic\x00\x00", "a.heic", "application/octet-stream", "document"),
    (b"ID3\x04\x00\x00", "a.mp3", "audio/mpeg", "audio"),
    (b"\xff\xfb\x90\x64\x00\x00", "a.mp3", "audio/mpeg", "audio"),
    (b"\xff\xf1\x50\x80\x00\x00", "a.aac", "audio/aac", "audio"),
    (b"OggS\x00\x02", "a.ogg", "audio/ogg", "audio"),
    (b"#!AMR\n", "a.amr", "audio/amr", "audio"),
    (b"%PDF-1.7\n", "a.pdf", "application/pdf", "document"),
    (b"PK\x03\x04\x14\x00", "a.zip", "application/zip", "document"),
    (b"PK\x03\x04\x14\x00", "a.apk", "application/octet-stream", "document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.xls", "application/vnd.ms-excel", "document"),
    (b"name;total\nay\xc5\x9fe;3\n", "a.csv", "text/csv; charset=utf-8", "document"),
    (b"<script>alert(1)</script>", "a.html", "text/plain; charset=utf-8", "document"),
    (b"<script>alert(1)</script>", "a.jpg", "text/plain; charset=utf-8", "document"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a.png", "text/plain; charset=utf-8", "document"),
    (b"\xff\xfeh\x00i\x00", "a.txt", "application/octet-stream", "document"),
    (b"MZ\x90\x00\x03", "a.exe", "application/octet-stream", "document"),
    (b"\x00", "a", "application/octet-stream", "document"),
]


@pytest.mark.parametrize(("head", "name", "type_", "family"), KINDS)
def test_a_file_is_what_is_in_it_whatever_its_name_says(
    head: bytes, name: str, type_: str, family: str
) -> None:
    assert recognise(head, name)[:2] == (type_, family)


@given(st.binary(max_size=64), st.text(max_size=20) | st.text("aş🙂. -", max_size=300))
def test_any_bytes_are_of_a_kind_and_any_name_becomes_one_that_is_safe(head: bytes, name: str) -> None:
    kind = recognise(head, name)
    assert kind.family in {"image", "video", "audio", "document"}
    safe = safe_name(name, kind)
    assert 0 < len(safe.encode()) <= 255 - 33, "with an id before it a folder takes it"
    assert not {"/", "\\", "\0", "\n", "%", "#", "?"} & set(safe)
    assert safe.strip(".") == safe == safe.strip()
    assert safe.lower().endswith(kind.suffixes or "")
    assert safe_name(safe, kind) == safe


def test_a_text_whose_last_character_is_cut_in_two_is_a_text() -> None:
    whole = ("ş" * HEAD).encode()
    for start in (0, 1):
        assert recognise(b"a" * start + whole[: HEAD - start], "a.txt").type.startswith("text/plain")


@pytest.mark.parametrize(
    ("name", "beginning", "safe"),
    [
        ("fotoğraf.JPG", b"\xff\xd8\xff", "fotoğraf.JPG"),
        ("picture", PNG, "picture.png"),
        ("picture.exe", PNG, "picture.exe.png"),
        ("../../etc/passwd", b"root:x", ".._.._etc_passwd"),
        ("...", b"root:x", "file"),
        ("a\u202egpj.exe", b"MZ\0", "a_gpj.exe"),
        ("bill\udcff.pdf", b"%PDF-", "bill_.pdf"),
        ("x" * 300 + ".pdf", b"%PDF-", "x" * 150 + ".pdf"),
        ("ş" * 300 + ".pdf", b"%PDF-", "ş" * 75 + ".pdf"),
    ],
)
def test_a_name_can_stand_in_an_address_and_ends_as_its_kind_does(
    name: str, beginning: bytes, safe: str
) -> None:
    assert safe_name(name, recognise(beginning, name)).lstrip("._") == safe.lstrip("._")


def test_a_web_server_is_given_nothing_that_a_browser_would_run() -> None:
    assert static_name("a.html", "document") == "a_html.bin"
    assert static_name("a.svg", "document") == "a_svg.bin"
    assert static_name("README", "document") == "README.bin"
    assert static_name("a.pdf", "document") == "a.pdf"
    assert static_name("a.png", "image") == "a.png"
    assert Kind("x", "document").suffixes == ()


@given(
    st.text(min_size=1, max_size=40), st.sampled_from([b"", b"%PDF-", b"\xff\xd8\xff", b"PK\x03\x04", PNG])
)
@example("evil.php.pdf", b"%PDF-")
@example("evil.php.jpg", b"\xff\xd8\xff")
@example("evil.php.bin", b"\0")
@example("a.shtml.txt", b"text")
@example("a.PHP.docx", b"PK\x03\x04")
def test_a_web_server_is_given_one_ending_for_it_may_run_by_any(name: str, head: bytes) -> None:
    kind = recognise(head, name)
    given_to_it = static_name(safe_name(name, kind), kind.family)
    assert given_to_it.count(".") == 1
    assert not given_to_it.startswith(".")


class Desk:
    """MediaFiles over a project in a folder, with a clock and deliveries that a test sets."""

    def __init__(self, folder: Path, rule: str = RULE, settings: str = PUBLIC) -> None:
        self.folder = folder
        self.drop = folder / "drop"
        self.drop.mkdir()
        self.now = NOW
        self.standings: dict[str, Standing] = {}
        self.project = self._load(rule, settings)
        self.events: dict[str, Event] = {}
        self.files = MediaFiles(
            Live(self.project),
            self._standings,
            serving=True,
            events=lambda ids: {name: self.events[name] for name in ids if name in self.events},
            clock=lambda: self.now,
        )

    def report(self, path: Path) -> None:
        """Let the event of all plans be that of a file as it is now."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = {**describe(str(path), status), "digest": digest(file.fileno(), status.st_size)}
        self.events["e"] = Event(id="e", type="file", at=datetime.fromtimestamp(NOW, UTC), data=data)

    def _load(self, rule: str, settings: str) -> Project:
        files = {"rules/a.yaml": rule_file(rule), "wbox-notify.yaml": settings}
        found = project(self.folder, files, WBOX_DATA_DIR=str(self.folder / "data"))
        assert found.problems == ()
        return found

    def _standings(self, keys: Any) -> dict[str, Standing]:
        return {key: self.standings[key] for key in keys if key in self.standings}

    def put(self, name: str, content: bytes = PNG) -> Path:
        path = self.drop / name
        path.write_bytes(content)
        return path

    def keep(self, *files: Path | str, rule: str = "a", key: str = "") -> list[str | None]:
        """Plan a message for each file, keys `0`, `1` …; return their problems."""
        messages = tuple(
            PlannedMessage(key=f"{key}{number}", rule=rule, message=Media(phone=PHONE, file=str(file)))
            for number, file in enumerate(files)
        )
        kept = self.files.keep(Plan(event_id="e", messages=messages))
        problems = [planned.problem for planned in kept.messages]
        told = [one.detail for one in kept.decisions]
        assert told == list(dict.fromkeys(problem for problem in problems if problem))
        return problems

    def delivery(self, file: Path | str = "x", key: str = "0", rule: str = "a") -> Delivery:
        return Delivery(
            id=1,
            key=key,
            event_id="e",
            rule=rule,
            device="",
            message=Media(phone=PHONE, file=str(file), caption="*c*"),
            state=State.SENDING,
            due=self.now,
            created=self.now,
            expires=self.now + DAY,
        )

    def publish(self, file: Path | str = "x", key: str = "0", rule: str = "a") -> str:
        delivery = self.delivery(file, key, rule)
        assert delivery.message
        made = self.files.publish(delivery, delivery.message)
        assert isinstance(made, Media)
        assert (made.phone, made.caption, made.file) == (PHONE, "*c*", None)
        return str(made.url)

    def fetch(self, url: str) -> bytes | None:
        """Return what a link leads to, or None."""
        _, _, token, name = urlsplit(url).path.split("/")
        opened = self.files.open(token, unquote(name))
        if opened is None:
            return None
        with os.fdopen(opened.descriptor, "rb") as reading:
            return reading.read()

    def copies(self) -> set[str]:
        media = self.folder / "data" / "media"
        return {path.name for path in media.iterdir() if path.suffix != ".db"} if media.exists() else set()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.files.close()


def test_a_file_is_sent_only_while_it_is_what_its_event_told_of(desk: Desk) -> None:
    path = desk.put("a.png")
    desk.report(path)
    desk.put("a.png", PNG + b"of another day")
    [problem] = desk.keep(path)
    assert problem == f"{path} has changed since it was reported"
    with pytest.raises(MediaError, match="has changed since it was reported"):
        desk.publish(path)
    assert desk.copies() == set()


def test_a_file_whose_time_alone_was_set_since_its_event_is_sent(desk: Desk) -> None:
    path = desk.put("a.png")
    desk.report(path)
    os.utime(path, (NOW, NOW))
    assert desk.keep(path) == [None]
    other = desk.put("b.png", PNG + b"b")
    assert desk.keep(other, key="other") == [None], "the event tells nothing of another file"


@contextmanager
def no_file_can_be_opened() -> Iterator[None]:
    """Let the system refuse this process one more file, as a disk refuses one more block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_Q11_what_the_system_can_not_take_in_now_is_taken_in_when_it_is_sent(desk: Desk) -> None:
    path = desk.put("a.png")
    desk.keep(desk.put("before.png"), key="before")
    with no_file_can_be_opened():
        assert desk.keep(path) == [None], "it is no fault of the message"
        with pytest.raises(MediaError, match="Too many open files") as refused:
            desk.publish(path)
        assert refused.value.retry
    assert desk.fetch(desk.publish(path)) == PNG


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE])
def test_Q11_an_error_of_the_disk_may_pass(code: int) -> None:
    assert passes(OSError(code, os.strerror(code)))
    assert not passes(OSError(errno.ENOENT, "gone"))
    assert not passes(ValueError("a NUL in a name"))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_was_in_the_file_when_the_message_was_planned_is_what_the_link_gives(desk: Desk) -> None:
    path = desk.put("günaydın ş.png")
    assert desk.keep(path) == [None]
    path.write_bytes(b"something else")
    url = desk.publish(path)
    assert url.startswith("https://notify.example.com/m/")
    assert url.endswith("/g%C3%BCnayd%C4%B1n%20%C5%9F.png")
    assert desk.fetch(url) == PNG
    path.unlink()
    assert desk.fetch(desk.publish(path)) == PNG


def test_a_plan_without_files_touches_nothing(desk: Desk) -> None:
    plan = Plan(
        event_id="e", messages=(PlannedMessage(key="k", rule="a", message=Text(phone=PHONE, message="hi")),)
    )
    assert desk.files.keep(plan) is plan
    assert desk.files.sweep(NOW) == 0
    assert not (desk.folder / "data").exists()


def test_one_file_for_many_is_copied_once_and_its_links_do_not_show_it(desk: Desk) -> None:
    path = desk.put("a.png")
    twin = desk.put("b.png")
    assert desk.keep(path, path, twin) == [None] * 3
    assert desk.copies() == {sha256(PNG)}
    links = [desk.publish(key=str(number)) for number in range(3)]
    assert len({link.split("/")[4] for link in links}) == 3
    assert not any(sha256(PNG)[:8] in link for link in links)


def test_two_messages_of_one_key_have_one_copy(desk: Desk) -> None:
    message = Media(phone=PHONE, file=str(desk.put("a.png")))
    plan = Plan(event_id="e", messages=(PlannedMessage(key="0", rule="a", message=message),) * 2)
    assert desk.files.keep(plan) == plan
    assert desk.copies() == {sha256(PNG)}


def test_planning_again_after_a_crash_keeps_the_first_copy(desk: Desk) -> None:
    path = desk.put("a.png")
    desk.keep(path)
    path.write_bytes(b"changed since")
    assert desk.keep(path) == [None]
    assert desk.fetch(desk.publish(path)) == PNG


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def _sparse(path: Path) -> None:
    with path.open("wb") as writing:
        writing.truncate(10 << 30)


def _other(path: Path) -> Path:
    other = path.with_name("other.png")
    other.write_bytes(PNG)
    return other


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "pipe": (os.mkfifo, "is not a file"),
    "folder": (Path.mkdir, "is not a file"),
    "socket": (_socket, "is not a file"),
    "link": (lambda path: path.symlink_to(_other(path)), "is a link"),
    "loop": (lambda path: path.symlink_to(path), "is a link"),
    "F19 hard link": (lambda path: path.hardlink_to(_other(path)), "a second name"),
    "empty": (Path.touch, "is empty"),
    "gone": (str, "No such file"),
    "sparse": (_sparse, "has 10 GB, and a document may have 100 MB"),
    "large": (lambda path: path.write_bytes(PNG + bytes(5 << 20)), "and a picture may have 5 MB"),
}


@pytest.mark.parametrize(("make", "reason"), ODD.values(), ids=ODD)
def test_what_can_not_be_sent_says_why_without_waiting_and_nothing_is_copied(
    desk: Desk, make: Callable[[Path], object], reason: str
) -> None:
    path = desk.drop / "a.png"
    make(path)
    (problem,) = desk.keep(path)
    assert problem
    assert str(path) in problem
    assert reason in problem
    assert desk.copies() == set()
    good = desk.put("good.png")
    assert desk.keep(path, good)[1] is None, "one file that fails spoils no other"


def test_a_file_is_taken_from_folders_that_the_rule_watches_or_names_alone(desk: Desk) -> None:
    (desk.folder / "secret.txt").write_text("secret")
    (desk.folder / "outside").mkdir()
    (desk.folder / "outside" / "a.png").write_bytes(PNG)
    (desk.drop / "out").symlink_to(desk.folder / "outside")
    for path in (desk.folder / "secret.txt", desk.drop / ".." / "secret.txt", "/etc/passwd", "secret.txt"):
        (problem,) = desk.keep(path)
        assert "in no folder that the rule watches or names" in str(problem)
    assert "in no folder" in str(desk.keep(desk.drop / "out" / "a.png"))
    assert desk.keep(desk.put("a.png"), rule="gone") != [None], "a rule that is gone watches nothing"
    assert desk.keep(desk.folder / "secret.txt", key="send:") == [None], "a person may send any file"
    assert "is not a file" in str(desk.keep("/dev/zero", key="send:again"))


@pytest.mark.parametrize(
    ("file", "taken", "refused"),
    [
        ("charts/{{ body.name }}", "charts/a.png", "secret.png"),
        ("charts/{{ body.name }}", "charts/deep/a.png", "charts/../secret.png"),
        ("charts/a.png", "charts/a.png", "charts/b.png"),
        ("charts/pic-{{ body.name }}", "charts/pic-a.png", "secret.png"),
        ("{{ body.name }}", None, "charts/a.png"),
        ("/{{ body.name }}", None, "charts/a.png"),
        ("pic-{{ body.name }}", None, "secret.png"),
    ],
)
def test_what_stands_before_a_template_is_the_folder_that_a_rule_names(
    tmp_path: Path, file: str, taken: str | None, refused: str
) -> None:
    rule = f'trigger: {{webhook: {{path: x, open: true}}}}\nsend: {{media: {{file: "{file}"}}}}'
    desk = Desk(tmp_path, rule)
    (tmp_path / "charts" / "deep").mkdir(parents=True)
    for name in ("charts/a.png", "charts/b.png", "charts/deep/a.png", "charts/pic-a.png", "secret.png"):
        (tmp_path / name).write_bytes(PNG)
    assert "in no folder" in str(desk.keep(tmp_path / refused))
    assert taken is None or desk.keep(taken) == [None]
    desk.files.close()


def test_what_the_daemon_keeps_for_itself_is_never_sent(desk: Desk) -> None:
    (desk.folder / "data").mkdir()
    (desk.folder / "data" / "link.key").write_bytes(b"key")
    assert "belongs to the daemon (its own data)" in str(
        desk.keep(desk.folder / "data" / "link.key", key="send:")
    )


@pytest.mark.parametrize("name", ["a\udcff.png", "a\n.png", "a\x1b[31m.png", "🙂" * 60 + ".png", "-rf.png"])
def test_an_odd_name_is_no_obstacle(desk: Desk, name: str) -> None:
    path = desk.put(name)
    assert desk.keep(path) == [None]
    url = desk.publish(path)
    assert url.isascii()
    assert desk.fetch(url) == PNG


def test_a_reason_is_one_line_that_any_database_takes(desk: Desk) -> None:
    for name in (*(desk.drop / name for name in ("a\udcff", "a\nb", "a\0b")), "~a\udcff\n/b"):
        (problem,) = desk.keep(name)
        assert problem
        assert "\n" not in problem.encode().decode()
        assert "\0" not in problem


def test_over_the_quota_a_message_is_dead_and_says_how_to_make_room(tmp_path: Path) -> None:
    desk = Desk(tmp_path, settings=f"{PUBLIC}media: {{quota: 1kB}}\n")
    first, second = desk.put("a.png"), desk.put("b.png", PNG + b"!")
    problems = desk.keep(first, second)
    assert problems[0] is None
    assert "no room" in str(problems[1])
    assert "queue drop" in str(problems[1])
    with pytest.raises(MediaError, match="no room"):
        desk.publish(second, "1")
    assert desk.fetch(desk.publish(first, "0")) == PNG, "what has a place keeps it"
    desk.standings["0"] = Standing(State.CANCELLED, NOW)
    assert desk.fetch(desk.publish(second, "1")) == PNG + b"!", "now that there is room it can be tried again"
    assert desk.copies() == {sha256(PNG + b"!")}
    desk.files.close()


def test_limits_are_settings(tmp_path: Path) -> None:
    desk = Desk(tmp_path, settings=f"{PUBLIC}media: {{image: 100, document: 1kB}}\n")
    assert "a picture may have 100 bytes" in str(desk.keep(desk.put("a.png")))
    assert desk.keep(desk.put("a.txt", b"x" * 1024)) == [None]
    desk.files.close()


STANDINGS = [
    (State.QUEUED, 30 * DAY, True),
    (State.SENDING, 30 * DAY, True),
    (State.UNKNOWN, 30 * DAY, True),
    (State.HELD, 30 * DAY, True),
    (State.SENT, HOUR - 1, True),
    (State.SENT, HOUR, False),
    (State.DEAD, 7 * DAY - 1, True),
    (State.DEAD, 7 * DAY, False),
    (State.EXPIRED, 7 * DAY - 1, True),
    (State.EXPIRED, 7 * DAY, False),
    (State.CANCELLED, 0, False),
    (None, HOUR - 1, True),
    (None, HOUR, False),
]


@pytest.mark.parametrize(("state", "later", "stays"), STANDINGS)
def test_a_copy_stays_for_as_long_as_its_message_may_need_it(
    desk: Desk,
    state: State | None,
    later: float,
    stays: bool,  # noqa: FBT001 - a column of the table
) -> None:
    desk.keep(desk.put("a.png"))
    if state:
        desk.standings["0"] = Standing(state, NOW)
    assert desk.files.sweep(NOW + later) == (0 if stays else 1)
    assert desk.copies() == ({sha256(PNG)} if stays else set())


def test_a_copy_that_another_message_needs_stays(desk: Desk) -> None:
    path = desk.put("a.png")
    desk.keep(path, path)
    desk.standings = {"0": Standing(State.SENT, NOW), "1": Standing(State.HELD, NOW)}
    assert desk.files.sweep(NOW + DAY) == 1
    assert desk.fetch(desk.publish(key="1")) == PNG


def test_what_a_crash_left_in_the_spool_is_deleted(desk: Desk) -> None:
    desk.keep(desk.put("a.png"))
    media = desk.folder / "data" / "media"
    (media / ".part-0123").write_bytes(b"half")
    (media / ("0" * 64)).write_bytes(b"nobody needs it")
    desk.files.sweep(NOW)
    assert desk.copies() == {sha256(PNG)}


def test_G07_a_link_lives_longer_than_its_delivery_but_seven_days_at_most(desk: Desk) -> None:
    desk.keep(desk.put("a.png"))
    desk.standings["0"] = Standing(State.UNKNOWN, NOW)
    url = desk.publish()
    desk.now = NOW + DAY + HOUR - 1
    assert desk.fetch(url) == PNG
    desk.now = NOW + DAY + HOUR
    assert desk.fetch(url) is None
    assert desk.fetch(desk.publish()) == PNG, "each hand-over makes a link that works"


def test_G07_a_message_whose_copy_is_gone_is_not_handed_over(desk: Desk) -> None:
    desk.keep(desk.put("a.png"))
    copy = desk.folder / "data" / "media" / sha256(PNG)
    copy.write_bytes(b"shorter")
    with pytest.raises(MediaError, match=r"the copy of a\.png is gone") as caught:
        desk.publish()
    assert not caught.value.retry
    copy.unlink()
    with pytest.raises(MediaError, match="is gone"):
        desk.publish()


def test_U07_a_link_ends_with_its_use(desk: Desk) -> None:
    desk.keep(desk.put("a.png"))
    url = desk.publish()
    desk.standings["0"] = Standing(State.SENT, NOW)
    desk.now = NOW + HOUR - 1
    assert desk.fetch(url) == PNG
    desk.now = NOW + HOUR
    assert desk.fetch(url) is None, "also before anything was deleted"


def test_U07_a_link_of_an_other_key_name_or_kind_leads_nowhere(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.keep(desk.put("a.png"))
    url = desk.publish()
    token = url.split("/")[4]
    assert desk.fetch(url) == PNG
    assert desk.files.open(token, "b.png") is None
    assert desk.files.open(token[:-1], "a.png") is None
    copy = desk.folder / "data" / "media" / sha256(PNG)
    copy.write_bytes(b"changed")
    assert desk.fetch(url) is None
    copy.unlink()
    assert desk.fetch(url) is None
    assert caplog.messages == [
        "the copy of a.png cannot be lent: it was changed",
        "the copy of a.png cannot be lent: No such file or directory",
    ]


@given(st.text(max_size=120), st.integers(0, 200), st.integers(1, 255))
def test_U07_no_token_but_ours_is_read(text: str, place: int, change: int) -> None:
    token = signed_links.token(b"a key of the test", "media", "0" * 32 + ".1800000000")
    assert signed_links.read(b"another key", token) is None
    spot = place % len(token)
    changed = token[:spot] + chr((ord(token[spot]) + change) % 128) + token[spot + 1 :]
    assert changed == token or signed_links.read(b"a key of the test", changed) is None
    assert text == token or signed_links.read(b"a key of the test", text) is None


def test_a_static_folder_is_given_the_file_and_loses_it_after_its_use(tmp_path: Path) -> None:
    static = tmp_path / "www"
    static.mkdir()
    settings = f"media: {{static: {{folder: {static}, url: https://files.example.com/m/}}}}\n"
    desk = Desk(tmp_path, settings=settings)
    path = desk.put("a.png")
    page = desk.put("page.html", b"<script>")
    desk.keep(path, page)
    urls = [desk.publish(key="0"), desk.publish(key="1")]
    names = [url.rpartition("/")[2] for url in urls]
    assert all(url.startswith("https://files.example.com/m/") for url in urls)
    assert [name.partition("-")[2] for name in names] == ["a.png", "page_html.bin"]
    assert (static / names[0]).read_bytes() == PNG
    assert (static / names[0]).stat().st_mode & 0o777 == 0o644
    assert desk.publish(key="0") == urls[0], "a second try is the same address"
    assert {one.name for one in static.iterdir()} == set(names)
    desk.standings = {"0": Standing(State.SENT, NOW), "1": Standing(State.SENT, NOW)}
    assert desk.files.sweep(NOW + HOUR) == 2
    assert list(static.iterdir()) == []
    desk.files.close()


def test_where_daemons_share_a_store_a_message_carries_the_address_of_its_copy(tmp_path: Path) -> None:
    static = tmp_path / "www"
    settings = f"media: {{static: {{folder: {static}, url: https://files.example.com/m/}}}}\n"
    desk = Desk(tmp_path, settings=settings)
    shared = MediaFiles(
        Live(desk.project), desk._standings, serving=True, clock=lambda: desk.now, shared=True
    )
    planned = PlannedMessage(
        key="0", rule="a", message=Media(phone=PHONE, file=str(desk.put("a.png")), caption="c")
    )
    plan = Plan(event_id="e", messages=(planned,))
    assert shared.keep(plan) == plan, "as long as the folder is away, whoever sends it tries again"
    static.mkdir()
    [kept] = shared.keep(plan).messages
    message = kept.message
    assert isinstance(message, Media)
    assert (message.file, message.caption) == (None, "c")
    assert message.url
    assert message.url.startswith("https://files.example.com/m/")
    [copy] = static.iterdir()
    assert message.url.endswith(copy.name)
    assert copy.read_bytes() == PNG
    assert desk.files.publish(desk.delivery(), message) == message
    desk.standings = {"0": Standing(State.SENT, NOW)}
    assert shared.sweep(NOW + HOUR) == 1
    assert list(static.iterdir()) == []
    shared.close()


@pytest.mark.parametrize(
    ("more", "problems"),
    [
        ({}, ["WBX340"]),
        ({"WBOX_STORE": "sqlite:////tmp/wbox.db"}, []),
        ({"WBOX_API_URL": "http://127.0.0.1:1"}, []),
        ({"static": "media: {static: {folder: /srv/www, url: https://files.example.com}}\n"}, []),
    ],
)
def test_a_file_is_lent_from_where_all_daemons_see_it_once_they_may_share_the_store(
    tmp_path: Path, more: dict[str, str], problems: list[str]
) -> None:
    settings = PUBLIC + more.pop("static", "")
    (tmp_path / "drop").mkdir()
    environ = {"WBOX_STORE": "postgresql://db.example.com/wbox", "WBOX_DATA_DIR": str(tmp_path / "data")}
    files = {"rules/a.yaml": rule_file(RULE), "wbox-notify.yaml": settings}
    found = project(tmp_path, files, **{**environ, **more})
    assert [problem.code for problem in found.problems if problem.severity == "error"] == problems


def test_a_static_folder_that_is_away_is_tried_again(tmp_path: Path) -> None:
    settings = f"media: {{static: {{folder: {tmp_path}/away, url: https://files.example.com}}}}\n"
    desk = Desk(tmp_path, settings=settings)
    desk.keep(desk.put("a.png"))
    with pytest.raises(MediaError, match="cannot be published") as caught:
        desk.publish()
    assert caught.value.retry
    desk.files.close()


def test_nobody_hands_over_a_link_that_nobody_would_serve(desk: Desk) -> None:
    alone = MediaFiles(Live(desk.project), lambda _keys: {}, serving=False, clock=lambda: NOW)
    desk.keep(desk.put("a.png"))
    delivery = desk.delivery()
    assert delivery.message
    with pytest.raises(MediaError, match="no server can lend") as caught:
        alone.publish(delivery, delivery.message)
    assert caught.value.retry
    alone.close()


def test_a_spool_that_can_not_be_used_stops_no_other_rule(desk: Desk) -> None:
    media = desk.folder / "data" / "media"
    media.mkdir(parents=True)
    (media / "spool.db").write_bytes(b"this is no database" * 1000)
    assert desk.keep(desk.put("a.png")) == [None]
    with pytest.raises(StoreError, match="cannot be used") as refused:
        desk.publish(desk.drop / "a.png")
    assert refused.value.retry, "the message waits until somebody has mended it"


class Office:
    """The queue and the dispatch of a desk, whose wbox is the simulator."""

    def __init__(self, desk: Desk, wbox: Simulator) -> None:
        self.store = open_store(f"sqlite:///{desk.folder}/store.db")
        self.control = Control(self.store, keep=desk.files.keep)
        self.client = Client(wbox.url, "sk_test")
        self.later = 0.0
        self.dispatcher = Dispatcher(
            self.store,
            a_live(),
            publish=desk.files.publish,
            clock=lambda: time.time() + self.later,
        )

    def send(self, file: Path) -> int:
        return self.control.send(Media(phone=PHONE, file=str(file)))

    def step(self, later: float = 0.0) -> None:
        """Send what is due so many seconds from now."""
        self.later = later
        while self.dispatcher.step(self.client):
            pass

    def key(self, number: int) -> str:
        found = self.store.delivery(number)
        assert found
        return found.key

    def is_(self, number: int) -> tuple[State, str]:
        found = self.store.delivery(number)
        assert found
        return found.state, found.reason


@pytest.fixture
def office(desk: Desk, wbox: Simulator) -> Iterator[Office]:
    made = Office(desk, wbox)
    yield made
    made.client.close()
    made.store.close()


def test_G07_a_message_whose_copy_is_gone_is_dead_and_goes_when_a_person_has_put_it_back(
    desk: Desk, office: Office, wbox: Simulator
) -> None:
    number = office.send(desk.put("a.png"))
    copy = desk.folder / "data" / "media" / sha256(PNG)
    copy.unlink()
    office.step()
    state, reason = office.is_(number)
    assert (state, "the copy of a.png is gone" in reason) == (State.DEAD, True)
    assert wbox.messages() == []
    copy.write_bytes(PNG)
    assert office.control.queue(Action.RETRY, None) == [number]
    office.step()
    assert office.is_(number)[0] is State.SENT
    assert wbox.wait_for(1)[0]["body"]["media_url"].startswith("https://notify.example.com/m/")


def test_housekeeping_deletes_copies_by_its_own_clock_once_their_time_is_over(
    desk: Desk, office: Office, wbox: Simulator
) -> None:
    number = office.send(desk.put("a.png"))
    office.step()
    assert office.is_(number)[0] is State.SENT
    url = wbox.wait_for(1)[0]["body"]["media_url"]
    (standing,) = office.store.standings([office.key(number)]).values()
    desk.standings[office.key(number)] = standing
    times = [standing.since + HOUR - 1]
    looks: list[float] = []

    def sweep(now: float) -> None:
        desk.files.sweep(now)
        looks.append(now)

    keeping = Housekeeping(
        office.store, lambda: DAY, sweep=sweep, clock=lambda: times[-1], steady=lambda: times[-1], every=0.01
    )
    keeping.start()
    until(lambda: looks)
    desk.now = times[-1]
    assert desk.fetch(url) == PNG
    times.append(standing.since + HOUR)
    until(lambda: looks[-1] == times[-1])
    keeping.stop()
    assert desk.copies() == set()
    assert desk.fetch(url) is None


def test_what_can_not_be_published_now_is_tried_again(tmp_path: Path, wbox: Simulator) -> None:
    static = tmp_path / "www"
    settings = f"media: {{static: {{folder: {static}, url: https://files.example.com}}}}\n"
    desk = Desk(tmp_path, settings=settings)
    office = Office(desk, wbox)
    number = office.send(desk.put("a.png"))
    office.step()
    state, reason = office.is_(number)
    assert (state, "cannot be published" in reason) == (State.QUEUED, True)
    static.mkdir()
    office.step(later=60)
    assert office.is_(number)[0] is State.SENT
    office.client.close()
    office.store.close()
    desk.files.close()


def test_what_a_person_sends_is_refused_at_once_if_it_can_not_be_sent(desk: Desk, office: Office) -> None:
    with pytest.raises(MessageError, match="is empty"):
        office.send(desk.put("a.png", b""))
    assert office.store.counts() == {}


def test_the_standings_of_many_deliveries_are_told_at_once(desk: Desk, office: Office) -> None:
    planned = [
        PlannedMessage(key=str(number), rule="a", message=Text(phone=PHONE, message="hi"))
        for number in range(1200)
    ]
    office.store.put_plans([Plan(event_id="e", messages=tuple(planned))], NOW).result()
    keys = [str(number) for number in range(0, 2400, 2)]
    standings = office.store.standings(keys)
    assert set(standings) == {str(number) for number in range(0, 1200, 2)}
    assert set(standings.values()) == {Standing(State.QUEUED, NOW)}
    assert desk.files.sweep(NOW) == 0


ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "media.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(# (.*?)(?:: .*?)?\n.*?)```", PAGE, re.DOTALL)


def test_every_block_of_the_page_is_right(tmp_path: Path) -> None:
    assert [name for _, name in BLOCKS] == ["rules/invoices.yaml", *["wbox-notify.yaml"] * 4]
    rule = BLOCKS[0][0]
    for text, _ in BLOCKS[1:4]:
        found = project(tmp_path, {"rules/a.yaml": rule, "wbox-notify.yaml": text}, BUCKET_KEY="secret")
        assert found.problems == ()
    defaults = project(tmp_path, {"wbox-notify.yaml": BLOCKS[4][0]}).settings.media
    (problem,) = project(tmp_path, {"wbox-notify.yaml": ""}).problems
    assert (problem.code, problem.line) == ("WBX340", 9)
    assert defaults == project(tmp_path, {}).settings.media


def test_the_example_passes_its_own_tests(tmp_path: Path) -> None:
    files = {
        "rules/photos.yaml": (ROOT / "examples" / "rules" / "photos.yaml").read_bytes(),
        "wbox-notify.yaml": f"{PUBLIC}contacts: {{me: '+905551112233'}}\n",
    }
    found = project(tmp_path, files)
    assert found.problems == ()
    trials = list(run_all(found, found.rules))
    assert [trial.complaints for trial in trials] == [()]


@pytest.mark.parametrize("change", ["time", "content", "size"])
def test_a_file_whose_time_is_set_while_it_is_copied_is_taken_and_one_that_is_written_is_not(
    tmp_path: Path, change: str
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"one")

    class Meddled(Spool):
        """A spool beside which somebody is at work on the file."""

        def copy(self, descriptor: int, size: int) -> str:
            found = super().copy(descriptor, size)
            if change != "time":
                file.write_bytes(b"two" if change == "content" else b"more")
            os.utime(file, (1, 1))
            return found

    settings = project(tmp_path, {"rules/a.yaml": rule_file("")}).settings
    spool = Meddled(tmp_path / "spool")
    if change == "time":
        assert take(spool, file, [tmp_path], settings).sha256 == hashlib.sha256(b"one").hexdigest()
    else:
        with pytest.raises(MediaError, match="was changed while it was copied"):
            take(spool, file, [tmp_path], settings)
    spool.close()
