"""The dashboard, the alerts and the page about metrics name what a daemon has, and nothing else."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rulebook import whole

from wbox_notify.model.deliveries import Decision, Delivery, NextStep, Plan, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.rules.project import Live
from wbox_notify.store import open_store
from wbox_notify.web.metrics import Metrics

ROOT = Path(__file__).parents[1]
DASHBOARD = json.loads((ROOT / "examples" / "grafana" / "wbox-notify.json").read_text(encoding="utf-8"))
RULES = """
version: 1
rules:
  - id: timed
    trigger: {schedule: "09:00"}
    to: "+905551112233"
    send: {text: hello}
"""
OF_PROMETHEUS = {"instance", "job", "le"}


def documented() -> dict[str, set[str]]:
    """Return the metrics of the page, each with its labels."""
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(wbox_notify_\w+)` \|([^|]*)\|", page, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}


def queries() -> Iterator[tuple[str, str]]:
    """Yield all queries of the dashboard, each with the title of its panel."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def alerts() -> Iterator[tuple[str, str]]:
    """Yield the queries of the alerts, each with its name."""
    text = (ROOT / "examples" / "prometheus" / "wbox-notify-alerts.yml").read_text(encoding="utf-8")
    yield from re.findall(r"- alert: (\w+)\n +expr: (.*)", text)


def metric_of(name: str, known: Mapping[str, object]) -> str:
    """Return the metric of a series, which for a histogram has an ending."""
    return name if name in known else re.sub(r"_(bucket|sum|count)$", "", name)


@pytest.mark.parametrize(("title", "query"), [*queries(), *alerts()])
def test_a_query_names_metrics_and_labels_that_there_are(title: str, query: str) -> None:
    known = documented()
    series = {metric_of(name, known) for name in re.findall(r"wbox_notify_\w+", query)}
    assert series <= known.keys()
    assert series or title == "WboxNotifyDown"
    labels = set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", query))
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        labels |= {label.strip() for label in grouped.split(",")}
    assert labels <= set().union(OF_PROMETHEUS, *(known[name] for name in series))


def test_a_daemon_has_the_metrics_of_the_page_with_their_labels(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    store.open_circuit("2", Outcome.NOT_READY, 9.0, 1.0).result()
    metrics = Metrics(Live(whole(RULES)), store, lambda: 2.0)
    event = Event(id="e", type="schedule", at=datetime.now(UTC), data={"rule": "timed"})
    decision = Decision(rule="timed", stage="send", outcome="passed", detail="")
    metrics.planned(event, Plan(event_id="e", decisions=(decision,)))
    delivery = Delivery(
        id=1,
        key="k",
        event_id="e",
        rule="timed",
        device="",
        message=Text(phone="905551112233", message="hello"),
        state=State.SENDING,
        due=1.0,
        created=1.0,
        expires=2.0,
    )
    then = NextStep(state=State.SENT, due=1.0, tries=1, unknowns=0, reason="")
    metrics.attempted(delivery, Answer(outcome=Outcome.SENT, detail="ok", status=200), then)
    shown = metrics.text().decode()
    store.close()
    known, seen = documented(), defaultdict[str, set[str]](set)
    for family in text_string_to_metric_families(shown):
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                seen[metric_of(sample.name, known)] |= sample.labels.keys() - OF_PROMETHEUS
    assert seen == known
