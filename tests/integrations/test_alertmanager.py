"""A real Prometheus watches a machine by our files, and a real Alertmanager tells us of it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pages import ROOT
from programs import found, free_port, replaced, running, website
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

EXAMPLES = ROOT / "examples" / "alertmanager"
TOKEN = "a token that is long enough"


@pytest.fixture
def target(place: Workplace, tmp_path: Path) -> Iterator[int]:
    """Run both programs by the files of the example; give the port of the machine that they watch."""
    alertmanager, prometheus = found("prometheus-alertmanager"), found("prometheus")
    place.rule(
        replaced(
            (EXAMPLES / "rules.yaml").read_text(encoding="utf-8"),
            ("wait: 10s, interval: 5m", "wait: 1s, interval: 1s"),
            ("by: {every: 10m}", "by: 2099-12-31 09:00"),  # no deadline passes while the test runs
        )
    )
    place.environment["WBOX_SECRET_ALERTMANAGER"] = TOKEN
    place.start("run")
    until(place.card.exists)
    ports = [free_port() for _ in range(3)]
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "alertmanager.yml").write_text(
        replaced(
            (EXAMPLES / "alertmanager.yml").read_text(),
            ("http://127.0.0.1:8725", place.url),
            ("/etc/prometheus/wbox-notify.token", str(tmp_path / "token")),
            ("group_wait: 5s", "group_wait: 0s"),
            ("group_interval: 1m", "group_interval: 1s"),
        )
    )
    (tmp_path / "prometheus.yml").write_text(
        replaced(
            (EXAMPLES / "prometheus.yml").read_text(),
            ("15s", "1s"),
            ("127.0.0.1:9093", f"127.0.0.1:{ports[0]}"),
            ("127.0.0.1:9100", f"127.0.0.1:{ports[2]}"),
        )
    )
    (tmp_path / "alerts.yml").write_text(
        replaced((EXAMPLES / "alerts.yml").read_text(), ("for: 2m", "for: 0s"))
    )
    with ExitStack() as programs:
        programs.enter_context(
            running(
                tmp_path / "alertmanager.log",
                alertmanager,
                f"--config.file={tmp_path}/alertmanager.yml",
                f"--storage.path={tmp_path}/alertmanager",
                f"--web.listen-address=127.0.0.1:{ports[0]}",
                "--cluster.listen-address=",
            )
        )
        programs.enter_context(
            running(
                tmp_path / "prometheus.log",
                prometheus,
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/prometheus",
                f"--web.listen-address=127.0.0.1:{ports[1]}",
                "--rules.alert.resend-delay=1s",  # the first alerts come before it knows Alertmanager
            )
        )
        yield ports[2]


def test_a_machine_that_goes_and_comes_is_told_twice_and_the_watchdog_is_heard(
    place: Workplace, wbox: Simulator, target: int
) -> None:
    address = f"127.0.0.1:{target}"
    down = wbox.wait_for(1, 60)[0]["body"]["message"].rstrip()
    assert down == f"🔥 *InstanceDown*\n• {address} does not answer"
    with website(target):
        up = wbox.wait_for(2, 60)[1]["body"]["message"].rstrip()
    assert up == f"✅ *InstanceDown*\n• {address} does not answer"
    until(lambda: "/hook/alertmanager-watchdog" in place.run("log", "--json").stdout)
