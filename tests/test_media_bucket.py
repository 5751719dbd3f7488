"""Files as media by way of a bucket: uploaded, lent by signed addresses that end, and deleted."""

import logging
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from object_store import KEY_ID, NAME, SECRET, ObjectStore
from rulebook import PHONE, project, rule_file
from workplace import Workplace, until

from wbox_notify.config.media import Bucket
from wbox_notify.config.yaml.problems import render
from wbox_notify.errors import WboxError
from wbox_notify.media import MediaFiles
from wbox_notify.media.bucket import _client as talking
from wbox_notify.model.deliveries import Delivery, Plan, PlannedMessage, Standing, State
from wbox_notify.model.messages import Media
from wbox_notify.rules.check import check
from wbox_notify.rules.project import Live, Project
from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 1000
HOUR, DAY = 3600.0, 86400.0
RULE = 'trigger: {file: {path: drop}}\nsend: {media: {file: "{{ file.path }}"}}'


class Desk:
    """MediaFiles whose settings lead to a bucket, with a clock that a test sets."""

    def __init__(self, folder: Path, bucket: ObjectStore, name: str = NAME) -> None:
        (folder / "drop").mkdir()
        files = {"rules/a.yaml": rule_file(RULE), "wbox-notify.yaml": bucket.settings.replace(NAME, name)}
        self.folder, self.bucket = folder, bucket
        here = {"WBOX_API_URL": "http://127.0.0.1:1", "WBOX_DATA_DIR": str(folder / "data")}
        found = project(folder, files, **here, BUCKET_KEY=SECRET)
        assert found.problems == ()
        self.now = bucket.now = 1_800_000_000.0
        self.standings: dict[str, Standing] = {}
        self.files = MediaFiles(
            Live(found), lambda _keys: self.standings, serving=False, clock=lambda: self.now
        )

    def lend(self, name: str = "a.png", content: bytes = PNG, *, key: str = "k", lasts: float = DAY) -> str:
        """Take in a file and return the address that wbox gets."""
        path = self.folder / "drop" / name
        path.write_bytes(content)
        planned = PlannedMessage(key=key, rule="a", message=Media(phone=PHONE, file=str(path)))
        [kept] = self.files.keep(Plan(event_id="e", messages=(planned,))).messages
        assert kept.problem is None
        return self.publish(key, lasts=lasts)

    def publish(self, key: str = "k", *, lasts: float = DAY) -> str:
        message = Media(phone=PHONE, file="x")
        delivery = Delivery(
            id=1,
            key=key,
            event_id="e",
            rule="a",
            device="",
            message=message,
            state=State.SENDING,
            due=self.now,
            created=self.now,
            expires=self.now + lasts,
        )
        published = self.files.publish(delivery, message)
        assert isinstance(published, Media)
        return str(published.url)


@pytest.fixture
def bucket() -> Iterator[ObjectStore]:
    with ObjectStore() as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, bucket: ObjectStore) -> Iterator[Desk]:
    made = Desk(tmp_path, bucket)
    yield made
    made.files.close()


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=20)


def test_a_picture_is_uploaded_and_its_address_gives_it_byte_for_byte_with_the_headers_of_a_link(
    desk: Desk,
) -> None:
    url = desk.lend("günaydın ş.png")
    assert url.startswith(f"{desk.bucket.url}/my-bucket/wbox/")
    got = get(url)
    assert (got.status_code, got.content) == (200, PNG)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"].startswith("inline; ")
    assert "filename*=UTF-8''g%C3%BCnayd%C4%B1n%20%C5%9F.png" in got.headers["content-disposition"]
    assert got.headers["cache-control"] == "private, no-store"


def test_a_page_is_saved_and_not_shown(desk: Desk) -> None:
    got = get(desk.lend("page.html", b"<script>alert(1)</script>"))
    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.headers["content-disposition"].startswith("attachment; ")


def test_a_file_of_many_parts_arrives_whole(desk: Desk) -> None:
    large = b"%PDF-1.7\n" + random.Random(1).randbytes(12 << 20)
    got = get(desk.lend("large.pdf", large))
    assert got.content == large
    assert got.headers["content-type"] == "application/pdf"
    assert desk.bucket.asked.count("PUT") == 3


def test_the_stand_in_lets_nobody_in_without_a_right_signature(desk: Desk) -> None:
    url = desk.lend()
    plain = url.partition("?")[0]
    assert get(plain).status_code == 403
    assert get(url.replace("a.png?", "b.png?")).status_code == 403
    assert get(url.replace("X-Amz-Expires=", "X-Amz-Expires=1")).status_code == 403
    assert requests.delete(url, timeout=20).status_code == 403
    assert get(url).status_code == 200


@pytest.mark.parametrize(
    ("lasts", "seconds"), [(60.0, 60 + 3600), (DAY, 86400 + 3600), (30 * DAY, 7 * 86400), (-2 * HOUR, 1)]
)
def test_an_address_ends_an_hour_after_the_delivery_and_after_seven_days_at_most(
    desk: Desk, lasts: float, seconds: int
) -> None:
    url = desk.lend(lasts=lasts)
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == [str(seconds)]
    desk.bucket.now = desk.now + seconds - 1
    assert get(url).status_code == 200
    desk.bucket.now = desk.now + seconds
    assert get(url).status_code == 403


def test_what_is_there_is_not_uploaded_again_and_what_is_gone_is(desk: Desk) -> None:
    first = desk.lend()
    desk.now += 60
    assert desk.publish() != first, "its time is later"
    assert desk.bucket.asked.count("PUT") == 1
    desk.bucket.objects.clear()
    assert get(desk.publish()).content == PNG
    assert desk.bucket.asked.count("PUT") == 2


def test_who_may_not_look_uploads(desk: Desk) -> None:
    desk.bucket.refuse["HEAD"] = (403, "AccessDenied")
    assert get(desk.lend()).content == PNG


@pytest.mark.parametrize(
    ("endpoint", "region", "begins"),
    [
        (
            "https://s3.eu-central-1.amazonaws.com",
            "eu-central-1",
            "https://my-bucket.s3.eu-central-1.amazonaws",
        ),
        ("https://abc.r2.cloudflarestorage.com", "auto", "https://abc.r2.cloudflarestorage.com/my-bucket/"),
        ("https://minio.example.com:9000", "us-east-1", "https://minio.example.com:9000/my-bucket/"),
    ],
)
def test_each_service_has_its_own_way_to_name_a_bucket_and_signing_asks_nobody(
    endpoint: str, region: str, begins: str
) -> None:
    there = Bucket(name=NAME, endpoint=endpoint, region=region, key_id=KEY_ID, secret=SECRET)
    with talking(there) as client:
        url = client.presigned_get_object(NAME, "a.png")
    assert url.startswith(begins)
    assert f"%2F{region}%2Fs3%2Faws4_request" in url


def test_two_messages_with_one_file_have_addresses_of_their_own(desk: Desk) -> None:
    assert len({urlsplit(desk.lend(key=key)).path for key in "ab"}) == 2


def test_an_object_is_deleted_an_hour_after_its_message_was_sent(desk: Desk) -> None:
    url = desk.lend()
    desk.standings["k"] = Standing(State.SENT, desk.now)
    assert desk.files.sweep(desk.now + HOUR - 1) == 0
    assert get(url).status_code == 200
    assert desk.files.sweep(desk.now + HOUR) == 1
    assert desk.bucket.objects == {}
    assert get(url).status_code == 404


def test_what_can_not_be_deleted_is_tried_again_by_the_next_sweep(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    urls = [desk.lend(key=key) for key in "ab"]
    desk.standings = dict.fromkeys("ab", Standing(State.CANCELLED, desk.now))
    for refusal, asked in (((503, "SlowDown"), 1), ((403, "AccessDenied"), 2)):
        desk.bucket.refuse, desk.bucket.asked[:] = {"DELETE": refusal}, []
        assert desk.files.sweep(desk.now) == 0
        assert desk.bucket.asked == ["DELETE"] * asked, "a bucket that is down is not asked for each"
        assert f"a.png cannot be deleted from {desk.bucket.url}: the bucket" in caplog.text
        assert refusal[1] in caplog.text
    desk.bucket.refuse.clear()
    assert desk.files.sweep(desk.now) == 2
    assert [get(url).status_code for url in urls] == [404, 404]


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (403, "AccessDenied", False),
        (403, "SignatureDoesNotMatch", False),
        (404, "NoSuchBucket", False),
        (400, "RequestTimeout", True),
        (403, "RequestTimeTooSkewed", True),
        (503, "SlowDown", True),
        (500, "InternalError", True),
    ],
)
def test_a_bucket_that_says_no_is_final_and_one_that_fails_is_asked_again(
    desk: Desk, status: int, code: str, *, retry: bool
) -> None:
    desk.bucket.refuse["PUT"] = (status, code)
    with pytest.raises(WboxError) as caught:
        desk.lend()
    assert str(caught.value) == f"the bucket my-bucket refuses: {code}"
    assert caught.value.retry is retry
    desk.bucket.refuse.clear()
    assert get(desk.publish()).content == PNG


def test_a_bucket_that_nobody_answers_for_is_asked_again(desk: Desk) -> None:
    desk.bucket.refuse = dict.fromkeys(("HEAD", "PUT"), (502, "</Code></Error>"))
    with pytest.raises(WboxError, match=r"127\.0\.0\.1:\d+ does not answer as a bucket does") as caught:
        desk.lend()
    assert caught.value.retry
    desk.bucket.__exit__()
    with pytest.raises(WboxError, match=r"127\.0\.0\.1:\d+ cannot be reached: Connection refused") as caught:
        desk.publish()
    assert caught.value.retry


def test_a_name_that_no_bucket_can_have_is_final(tmp_path: Path, bucket: ObjectStore) -> None:
    desk = Desk(tmp_path, bucket, "my..bucket")
    with pytest.raises(WboxError, match=r"the bucket my\.\.bucket cannot be used") as caught:
        desk.lend()
    desk.files.close()
    assert not caught.value.retry
    assert bucket.asked == []


def test_neither_a_redirect_nor_a_proxy_of_the_environment_gets_to_see_a_signature(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ObjectStore() as other:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other.url)
        desk.lend()
        desk.bucket.refuse["PUT"] = (307, "TemporaryRedirect")
        desk.bucket.location = other.url
        with pytest.raises(WboxError):
            desk.lend(key="other")
        assert other.heard == []


def test_neither_the_secret_nor_an_address_is_in_a_log_an_error_or_a_repr(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = desk.lend()
    signature = parse_qs(urlsplit(url).query)["X-Amz-Signature"][0]
    desk.bucket.refuse["PUT"] = (403, f"SignatureDoesNotMatch {signature} {SECRET}")
    with pytest.raises(WboxError) as caught:
        desk.lend(key="other")
    said = caplog.text + repr(desk.files._live.project.settings)
    for hidden in (SECRET, signature, "X-Amz-Signature"):
        assert hidden not in said
    assert SECRET not in "".join(desk.bucket.heard)
    assert KEY_ID not in caplog.text
    assert str(caught.value) == "the bucket my-bucket refuses: SignatureDoesNotMatch"


BUCKET = "name: b-1, endpoint: 'https://s3.example.com', region: auto, key_id: K, secret: s"


def settings(folder: Path, bucket: str, rest: str = "") -> Project:
    text = f"media: {{bucket: {bucket}{rest}}}\nsecrets: {{s: {{env: S}}, broken: {{env: GONE}}}}\n"
    return project(folder, {"wbox-notify.yaml": text}, S="value of the secret")


def test_a_bucket_is_a_way_out_for_rules_with_files(tmp_path: Path) -> None:
    found = settings(tmp_path, f"{{{BUCKET}, prefix: a/b/}}")
    assert [problem.code for problem in found.problems] == ["WBX324"], "the broken secret is not ours"
    assert found.settings.lends_files
    assert found.settings.media.bucket == Bucket(
        name="b-1",
        endpoint="https://s3.example.com",
        region="auto",
        key_id="K",
        secret="value of the secret",
        prefix="a/b/",
    )
    assert "value of" not in repr(found.settings)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("name: b-1, ", "", "the key `name` is missing"),
        (", secret: s", "", "the key `secret` is missing"),
        ("region: auto, ", "", "the key `region` is missing"),
        ("b-1", "My_Bucket", "My_Bucket cannot be the name of a bucket"),
        ("s3.example.com", "s3.example.com/b-1", "the bucket stands under `name:`"),
        ("https://s3.example.com", "s3.example.com", "this is not an address"),
        ("auto", "eu central", "eu central cannot be a region"),
        ("K, ", "K/x, ", "the id of the key"),
        ("secret: s", "secret: wJalrXUtnFEMI", "`secrets` has no entry of this name"),
        ("secret: s", "secret: s, prefix: /wbox", "write it as wbox/"),
        ("secret: s", "secret: s, prefix: a/../", "write it as wbox/"),
    ],
)
def test_a_mistake_in_a_bucket_is_said_where_it_is(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    found = settings(tmp_path, f"{{{BUCKET.replace(before, after)}}}")
    shown = "".join(render(problem) for problem in found.problems if "GONE" not in problem.message)
    assert said in shown
    assert "wJalr" not in shown
    assert found.settings.media.bucket is None or "prefix" in after


def test_a_folder_and_a_bucket_at_once_are_a_mistake(tmp_path: Path) -> None:
    found = settings(tmp_path, f"{{{BUCKET}}}", ", static: {folder: x, url: 'https://files.example.com'}")
    assert "cannot be used together" in "".join(map(render, found.problems))


def test_without_the_extra_the_problem_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "minio", None)
    assert project(tmp_path, {"wbox-notify.yaml": "media: {quota: 1GB}\n"}).problems == ()
    found = settings(tmp_path, f"{{{BUCKET}}}")
    assert found.settings.media.bucket is None
    [problem] = [problem for problem in found.problems if problem.code == "WBX343"]
    assert (problem.line, problem.hint) == (
        1,
        "pip install 'minio>=7.2.20,<8' in the environment of the daemon",
    )


def test_who_has_no_bucket_does_not_load_its_library() -> None:
    program = "import sys, wbox_notify.daemon.daemon, wbox_notify.cli.send; print('minio' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def test_an_address_that_only_the_own_network_has_is_warned_of(tmp_path: Path, bucket: ObjectStore) -> None:
    (tmp_path / "drop").mkdir()
    files = {"rules/a.yaml": rule_file(RULE), "wbox-notify.yaml": bucket.settings}
    found = check(project(tmp_path, files, BUCKET_KEY=SECRET))
    assert f"wbox cannot fetch a file from {bucket.url}" in [problem.message for problem in found]


@pytest.fixture
def studio(place: Workplace, wbox: Simulator, bucket: ObjectStore) -> Workplace:
    """A project that sends dropped pictures through a bucket, to a simulator that fetches them."""
    place.environment["BUCKET_KEY"] = SECRET
    place.rule(rule_file(RULE))
    place.rule(bucket.settings, "wbox-notify.yaml")
    requests.post(f"{wbox.url}/sim/media", json={"fetch": True}, timeout=10)
    return place


def test_a_dropped_picture_arrives_through_the_bucket_and_nothing_keeps_what_opens_it(
    studio: Workplace, wbox: Simulator, bucket: ObjectStore
) -> None:
    studio.environment["WBOX_LOG_LEVEL"] = "debug"
    bucket.refuse["PUT"] = (503, "SlowDown")
    process = studio.start("run")
    until(studio.card.exists)
    (studio.drop / "a.png").write_bytes(PNG)
    until(lambda: "PUT" in bucket.asked)
    bucket.refuse.clear()
    until(lambda: wbox.messages() and "media" in wbox.messages()[0])
    assert requests.get(f"{wbox.url}/sim/media/1", timeout=10).content == PNG
    url = wbox.messages()[0]["body"]["media_url"]
    wbox.fault(status=400, message=f"cannot fetch {url}")
    (studio.drop / "b.png").write_bytes(PNG + b"!")
    history = open_history(studio.store)
    until(lambda: history and history.queue([State.DEAD]))
    assert history
    [dead] = history.queue([State.DEAD])
    history.close()
    assert "?X-Amz-***" in dead.reason
    spoken = "".join(studio.run(*words).stdout for words in (["log"], ["status"], ["queue", "list"]))
    process.terminate()
    printed, errors = process.communicate(timeout=10)
    signature = parse_qs(urlsplit(url).query)["X-Amz-Signature"][0]
    kept = b"".join(file.read_bytes() for file in (studio.folder / "data").rglob("*") if file.is_file())
    for hidden in (SECRET, signature, "X-Amz-Signature"):
        assert hidden not in spoken + printed + errors
        assert hidden.encode() not in kept


def test_a_daemon_that_ends_during_an_upload_leaves_the_message_to_a_person(
    studio: Workplace, wbox: Simulator, bucket: ObjectStore
) -> None:
    bucket.open.clear()
    process = studio.start("run")
    until(studio.card.exists)
    (studio.drop / "a.png").write_bytes(PNG)
    until(lambda: bucket.asked)
    process.kill()
    process.communicate(timeout=10)
    studio.card.unlink()
    bucket.open.set()
    studio.start("run")
    until(studio.card.exists)
    history = open_history(studio.store)
    until(lambda: history and history.queue([State.HELD]))
    assert history
    history.close()
    assert studio.run("queue", "retry", "1").returncode == 0
    until(lambda: wbox.messages() and "media" in wbox.messages()[0])
    assert requests.get(f"{wbox.url}/sim/media/1", timeout=10).content == PNG


def test_a_bucket_needs_no_daemon(studio: Workplace, wbox: Simulator, bucket: ObjectStore) -> None:
    (studio.drop / "a.png").write_bytes(PNG)
    sent = studio.run("send", "media", f"+{PHONE}", "--file", "drop/a.png")
    assert sent.returncode == 0, sent.stderr
    assert [content for content, _ in bucket.objects.values()] == [PNG]
    until(lambda: wbox.messages() and "media" in wbox.messages()[0])
    assert requests.get(f"{wbox.url}/sim/media/1", timeout=10).content == PNG
