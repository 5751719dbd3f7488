"""A real Prometheus scrapes the daemon, and its alert comes back as a message through a real Alertmanager."""

import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
import requests
from programs import free_port, replaced, running
from test_dashboard import queries
from workplace import Workplace, until

from wbox_notify.simulator import Simulator

EXAMPLES = Path(__file__).parents[1] / "examples" / "prometheus"
RULE = """
version: 1
rules:
  - id: alerts
    trigger: {webhook: {path: alerts, preset: alertmanager, open: true}}
    to: "+90 555 123 45 67"
    send: {text: "{{ alert.annotations.summary }}"}
"""
ALERTMANAGER = """
route: {receiver: wbox, group_wait: 1s}
receivers: [{name: wbox, webhook_configs: [{url: "%s/hook/alerts"}]}]
"""

EMPTY = {"Calls that failed, per minute", "Rules", "Decisions"}
"""What has nothing to show while nothing fails, no rule has a schedule, and nothing was counted twice."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
        reason="needs Debian's prometheus and prometheus-alertmanager",
    ),
]


def test_an_alert_on_our_own_metrics_becomes_a_message(
    place: Workplace, wbox: Simulator, tmp_path: Path
) -> None:
    place.rule(RULE)
    place.start("run")
    until(place.card.exists)
    alertmanager, prometheus = free_port(), free_port()
    address = place.url.removeprefix("http://")
    config = replaced(
        (EXAMPLES / "prometheus.yml").read_text(),
        ("15s", "1s"),
        ("127.0.0.1:8725", address),
        ("127.0.0.1:9093", f"127.0.0.1:{alertmanager}"),
    )
    (tmp_path / "prometheus.yml").write_text(config)
    alerts = (EXAMPLES / "wbox-notify-alerts.yml").read_text().replace("for: 1m", "for: 0s")
    (tmp_path / "wbox-notify-alerts.yml").write_text(alerts)
    (tmp_path / "alertmanager.yml").write_text(ALERTMANAGER % place.url)
    with ExitStack() as programs:
        programs.enter_context(
            running(
                tmp_path / "log",
                "prometheus-alertmanager",
                f"--config.file={tmp_path}/alertmanager.yml",
                f"--storage.path={tmp_path}/alertmanager",
                f"--web.listen-address=127.0.0.1:{alertmanager}",
                "--cluster.listen-address=",
            )
        )
        programs.enter_context(
            running(
                tmp_path / "log",
                "prometheus",
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/prometheus",
                f"--web.listen-address=127.0.0.1:{prometheus}",
            )
        )
        place.rule("version: 1\nrules: [", "rules/broken.yaml")
        told = wbox.wait_for(1, 90)[0]["body"]["message"]
        for title, query in queries():
            ask = partial(answered, f"http://127.0.0.1:{prometheus}", query)
            ask()
            if title not in EMPTY:
                until(ask, 60)
    assert told.endswith("errors in the rules: wbox-notify check")


def answered(prometheus: str, query: str) -> list[object]:
    """Return what a real Prometheus answers to a query of the dashboard."""
    for variable, value in (("$instance", ".*"), ("$__rate_interval", "1m"), ("$__range", "1h")):
        query = query.replace(variable, value)
    answer = requests.get(f"{prometheus}/api/v1/query", {"query": query}, timeout=10).json()
    assert answer["status"] == "success", answer
    result: list[object] = answer["data"]["result"]
    return result
