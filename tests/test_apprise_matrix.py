"""The same provider in every Apprise that hosts pin, and under Apprise's own test kit."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from fault_server import FaultServer, Visit, answer, replying

from wbox_notify.simulator import Simulator

TESTS = Path(__file__).parent
PLUGIN = TESTS.parent / "wbox_notify" / "apprise_plugin.py"
QUEUED = answer(202, '{"id": 1}')
RETRIES = {"1.13.0", "2.2.0"}
LINK = "https://e.x/a%20b.jpg?sig=a%2Fb"
EXPECTED = [
    ("text", "*Title*\nplain <b> & text  two"),
    ("text", "*Head*\n\n*bold* label (https://e.x/a_b)\n\n- one\n- two"),
    ("text", "*a* & b"),
    ("text", "as *it* <is>"),
    ("poll", "Which?"),
    ("event", {"title": "Meeting", "description": "Room 2", "startDate": "2026-12-01"}),
    ("media", "look"),
    ("text", "with a file"),
    ("text", "without it"),
]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def environment(folder: Path, *packages: str) -> str:
    """Return the Python of a new environment with these packages."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


@pytest.mark.parametrize("version", ["1.9.1", "1.9.9", "1.13.0", "2.2.0"])
def test_every_apprise_sends_the_same(tmp_path: Path, wbox: Simulator, version: str) -> None:
    asked: list[str] = []

    def second_fails_once(visit: Visit) -> None:
        while request := visit.request():
            asked.append(request.json["phone"])
            visit.say(answer(500, "") if len(asked) == 2 else answer(200, '{"success": true}'))

    python = environment(tmp_path / "venv", f"apprise=={version}")
    with FaultServer(second_fails_once) as faulty, FaultServer(replying(QUEUED)) as daemon:
        places = [server.url.partition("//")[2] for server in (wbox, faulty, daemon)]
        words = [python, str(TESTS / "apprise_smoke.py"), str(PLUGIN), *places]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    got = [
        (message["endpoint"].rpartition("/")[2], message["body"].get("message") or message["body"]["event"])
        for message in wbox.messages()
    ]
    assert got == EXPECTED
    assert [
        message["body"]["media_url"] for message in wbox.messages() if "media_url" in message["body"]
    ] == [LINK]
    # Before 1.11 Apprise has no retry of its own; since then nobody gets it twice.
    second = ["905551112233"] if version in RETRIES else []
    assert asked == ["905551234567", "905551112233", *second]
    assert done.stdout.strip() == ("retried" if second else "failed")
    queued = [request.json for request in daemon.requests]
    assert [one["phone"] for one in queued] == ["905551234567", "905551112233"]
    assert {(one["kind"], one["message"]) for one in queued} == {EXPECTED[1]}


KIT = """
import pathlib
import sys
sys.path.insert(0, "tests")
from helpers import AppriseURLTester
sys.path.insert(0, sys.argv[1])
from apprise_plugin import NotifyWbox, NotifyWboxQueue

GOOD = {"success": True}
FAILS = {"notify_response": False, "attach_response": False}
CASES = (
    ("wbox://", {"instance": TypeError}),
    ("wbox://:@/", {"instance": TypeError}),
    ("wbox://sk_key", {"instance": TypeError}),
    ("wbox://sk_key/123", {"instance": TypeError}),
    ("wbox://sk_key/905551234567?device=no", {"instance": TypeError}),
    ("wbox://sk_key/905551234567", {"privacy_url": "wbox://****/905551234567/", "attach_response": False}),
    ("wbox://sk_key@box.local:8080/905551234567/bad?tls=no", {"attach_response": False}),
    ("wbox://sk_key@905551234567?attach=skip", {"check_attachments": False}),
    ("wbox://_/?key=sk_key&to=905551234567,905551112233", {"attach_response": False}),
    ("wbox://sk_key/905551234567?mode=event&start=2026", {"check_attachments": False}),
    ("wbox://sk_key/905551234567?mode=poll&options=a|b", {"check_attachments": False}),
    ("wbox://sk_key/905551234567", {**FAILS, "requests_response_code": 500}),
    ("wbox://sk_key/905551234567", {**FAILS, "requests_response_code": 999}),
    ("wbox://sk_key/905551234567", {**FAILS, "requests_response_text": "{"}),
    ("wbox://sk_key/905551234567", {"test_requests_exceptions": True}),
)
for url, meta in CASES:
    case = {"instance": NotifyWbox, "requests_response_text": GOOD, **meta}
    AppriseURLTester(tests=((url, case),)).run_all()
pathlib.Path("daemon.json").write_text('{"url": "http://127.0.0.1:8725", "token": "t"}')
QUEUED = {"instance": NotifyWboxQueue, "requests_response_text": {"id": 1}, "requests_response_code": 202}
QUEUE = (
    ("wboxq://", {"instance": TypeError}),
    ("wboxq://123", {"instance": TypeError}),
    ("wboxq://key@905551234567", {"instance": TypeError}),
    ("wboxq://905551234567/?data=.", {"privacy_url": "wboxq://905551234567/", "attach_response": False}),
    ("wboxq://905551234567?data=.&to=905551112233&attach=skip", {"check_attachments": False}),
    ("wboxq://905551234567?data=nowhere", FAILS),
    ("wboxq://905551234567?data=.", {**FAILS, "requests_response_code": 500}),
    ("wboxq://905551234567?data=.", {"test_requests_exceptions": True}),
)
for url, meta in QUEUE:
    AppriseURLTester(tests=((url, {**QUEUED, **meta}),)).run_all()
print(len(CASES) + len(QUEUE))
"""


def test_apprises_own_test_kit_passes_unmodified(tmp_path: Path) -> None:
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", "apprise", "--no-deps"]
    subprocess.run([*download, "apprise==2.2.0", "-d", str(tmp_path)], check=True)
    [archive] = tmp_path.glob("apprise-*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    kit = tmp_path / "apprise-2.2.0"
    python = environment(tmp_path / "venv", "apprise==2.2.0", "pytest", "pytest-mock")
    words = [python, "-c", KIT, str(PLUGIN.parent)]
    ran = subprocess.run(words, cwd=kit, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "23\n"), ran.stdout + ran.stderr
    # As a plugin of its own package, ours is held to the rules that are checked for each.
    (kit / "apprise" / "plugins" / "wbox.py").write_text(PLUGIN.read_text())
    words = [
        python,
        "-m",
        "pytest",
        "-q",
        "tests/test_api.py",
        "-k",
        "details_plugin",
        "-p",
        "no:cacheprovider",
    ]
    checked = subprocess.run(words, cwd=kit, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "2 passed" in checked.stdout
