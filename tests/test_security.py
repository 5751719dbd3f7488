"""What SECURITY.md says is held, where no other test shows it yet; and that what it points at is there."""

import re
import tomllib
from pathlib import Path

import pytest
import requests
from doorway import GITHUB, SECRET, Doorway
from fault_server import FaultServer, answer, replying
from packaging.requirements import Requirement
from packaging.version import Version
from workplace import TEXT_RULE, Workplace, ended, until

from wbox_notify.daemon.file_intake import watches
from wbox_notify.rules.loading import load
from wbox_notify.simulator import Simulator

ROOT = Path(__file__).parents[1]
SECURITY = (ROOT / "SECURITY.md").read_text()


@pytest.mark.parametrize("test", sorted(set(re.findall(r"`(test_\w+)`", SECURITY))))
def test_each_test_that_is_pointed_at_is_there(test: str) -> None:
    assert any(f"def {test}(" in path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:wbox_notify|tests|examples|docs)/[\w/.]+)`", SECURITY)))
)
def test_each_place_that_is_pointed_at_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    ("name", "mended"),
    [
        ("certifi", "2024.7.4"),  # CVE-2024-39689
        ("click", "8.3.3"),  # CVE-2026-7246
        ("jinja2", "3.1.6"),  # CVE-2025-27516
        ("requests", "2.33"),  # CVE-2024-47081, CVE-2026-25645
        ("starlette", "1.3.1"),  # CVE-2026-48710, CVE-2026-54283
        ("urllib3", "2.7"),  # CVE-2026-44431, CVE-2026-44432
    ],
)
def test_no_library_may_be_older_than_the_mending_of_its_last_known_fault(name: str, mended: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["s3"]]
    [wanted] = [one for one in map(Requirement, declared) if one.name == name]
    [floor] = [one.version for one in wanted.specifier if one.operator == ">="]
    assert Version(floor) >= Version(mended)


def test_what_a_sender_writes_is_never_read_as_a_template(place: Workplace, wbox: Simulator) -> None:
    place.rule(
        TEXT_RULE.replace("file: {path: drop}", "webhook: {path: a, open: true}").replace(
            "{{ file.name }}: {{ file.text }}", "{{ body.a }} {{ headers['x-b'] }}"
        )
    )
    process = place.start("run")
    until(place.card.exists)
    url = place.url
    requests.post(
        f"{url}/hook/a", json={"a": "{{ 7*7 }}{% raw %}"}, headers={"X-B": "{{ body }}"}, timeout=10
    )
    assert wbox.wait_for(1)[0]["body"]["message"] == "{{ 7*7 }}{% raw %} {{ body }}"
    assert ended(process)[0] == 0


def test_what_the_daemon_keeps_is_not_reported_though_a_rule_watches_all_of_it(
    place: Workplace, wbox: Simulator
) -> None:
    place.environment["WBOX_STORE"] = f"sqlite:///{place.folder}/drop/queue.db"
    place.rule(TEXT_RULE.replace("path: drop", 'path: ".", match: ["drop/**", "data/**"]'))
    process = place.start("run")
    for name in ("a.txt", "b.txt"):
        (place.drop / name).write_text("x")
        wbox.wait_for(1 if name == "a.txt" else 2)
    assert [message["body"]["message"] for message in wbox.messages()] == ["a.txt: x", "b.txt: x"]
    assert ended(process)[0] == 0


def test_a_rule_below_the_daemons_own_folder_reports_nothing(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yaml").write_text(TEXT_RULE.replace("path: drop", "path: data/below"))
    (watch,) = watches(load(tmp_path, {"WBOX_DATA_DIR": str(tmp_path / "data")}))
    assert not watch.accepts(f"{tmp_path}/data/below/a.txt")
    (watch,) = watches(load(tmp_path, {"WBOX_DATA_DIR": str(tmp_path / "elsewhere")}))
    assert watch.accepts(f"{tmp_path}/data/below/a.txt")


@pytest.mark.parametrize("query", ["token", "secret", "key", "access_token", "signature"])
def test_a_secret_in_an_address_opens_nothing(tmp_path: Path, query: str) -> None:
    with Doorway(tmp_path, [GITHUB]) as door:
        assert door.post(f"/hook/push?{query}={SECRET.decode()}", b"{}").status_code == 401
        assert door.events() == []


def test_an_answer_says_no_more_than_the_id(tmp_path: Path) -> None:
    with Doorway(tmp_path, [GITHUB]) as door:
        first, again = (door.push(b"{}", "one").json() for _ in range(2))
        assert (first, again) == ({"id": "webhook:push:one"}, {"id": "webhook:push:one", "duplicate": True})


@pytest.mark.parametrize("path", ["/livez", "/hook/push", "/ack/x", "/-/queue"])
def test_no_page_of_another_site_may_read_ours(tmp_path: Path, path: str) -> None:
    with Doorway(tmp_path, [GITHUB]) as door:
        origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        for method in ("GET", "POST", "OPTIONS"):
            headers = requests.request(method, door.url + path, headers=origin, timeout=10).headers
            assert not [name for name in headers if name.lower().startswith("access-control")]
            assert "set-cookie" not in headers


def test_the_daemon_and_the_simulator_are_for_this_machine_unless_told_otherwise(
    place: Workplace, wbox: Simulator
) -> None:
    del place.environment["WBOX_LISTEN"]
    assert load(place.folder, place.environment).settings.listen[0] == "127.0.0.1"
    assert wbox.url.startswith("http://127.0.0.1:")


def test_nobody_but_the_browser_fetches_what_a_message_links_to(place: Workplace, wbox: Simulator) -> None:
    with FaultServer(replying(answer(200, "x"))) as elsewhere:
        words = ["send", "media", "+905551234567", f"{elsewhere.url}/a.jpg"]
        assert place.run(*words).returncode == 0
        assert wbox.wait_for(1)[0]["body"]["media_url"] == f"{elsewhere.url}/a.jpg"
        requests.get(wbox.url, timeout=10)
        assert elsewhere.connections == 0
