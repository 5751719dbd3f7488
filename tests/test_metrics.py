"""What Prometheus reads of a daemon."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from workplace import running, settings_for, until

from wbox_notify.daemon.daemon import Daemon
from wbox_notify.simulator import Simulator

RULES = """
version: 1
rules:
  - id: called
    trigger: {webhook: {path: call, open: true}}
    if: body > 0
    to: "+905551110002"
    send: {text: "number {{ body }}"}
  - id: timed
    trigger: {schedule: "Mon 09:00"}
    to: "+905551110003"
    send: {text: weekly}
"""


@pytest.fixture
def daemon(tmp_path: Path, wbox: Simulator) -> Iterator[Daemon]:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "all.yaml").write_text(RULES)
    with running(tmp_path, settings_for(wbox, tmp_path / "data")) as daemon:
        yield daemon


def metrics(daemon: Daemon) -> dict[tuple[str, ...], float]:
    """Return each value by the metric's name and the values of its labels, in the order of their names."""
    answer = requests.get(f"{daemon.url}/metrics", timeout=10)
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "905551110002" not in answer.text
    return {
        (
            sample.name.removeprefix("wbox_notify_"),
            *map(sample.labels.get, sorted(sample.labels)),
        ): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_events_decisions_and_messages_are_counted(daemon: Daemon, wbox: Simulator) -> None:
    for number in (0, 1, 2):
        requests.post(f"{daemon.url}/hook/call", json=number, timeout=10)
    wbox.wait_for(2)
    until(lambda: metrics(daemon).get(("deliveries_total", "text", "called", "sent")) == 2)
    now = metrics(daemon)
    assert now["events_total", "webhook"] == 3
    assert now["decisions_total", "stopped", "called", "if"] == 1
    assert now["attempts_total", "text", "sent", "200"] == 2
    assert now["until_sent_seconds_count",] == 2
    assert now["rules",] == 2
    assert now["queue", "queued"] == 0
    assert now["rule_last_fired_timestamp_seconds", "called"] > 1.7e9
    assert now["rule_next_fire_timestamp_seconds", "timed"] > 1.7e9


def test_what_waits_and_why_is_seen(daemon: Daemon, wbox: Simulator) -> None:
    wbox.unlink()
    requests.post(f"{daemon.url}/hook/call", json=1, timeout=10)
    until(lambda: ("device_paused", "", "not ready") in metrics(daemon))
    until(lambda: metrics(daemon)["queue", "queued"] == 1)
    assert metrics(daemon)["queue_oldest_seconds",] > 0


def test_a_broken_file_shows_as_errors(daemon: Daemon, tmp_path: Path) -> None:
    assert metrics(daemon)["config_errors",] == 0
    (tmp_path / "rules" / "new.yaml").write_text("version: 1\nrules: [")
    daemon.reload()
    assert metrics(daemon)["config_errors",] >= 1


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [("192.0.2.1", 403), ("127.0.0.1, 192.0.2.1", 403), ("nobody", 403), ("::1", 200)],
)
def test_whom_a_proxy_names_is_who_asks(daemon: Daemon, forwarded: str, status: int) -> None:
    answer = requests.get(f"{daemon.url}/metrics", headers={"X-Forwarded-For": forwarded}, timeout=10)
    assert answer.status_code == status


def test_a_foreign_host_name_is_refused(daemon: Daemon) -> None:
    answer = requests.get(f"{daemon.url}/metrics", headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 400
