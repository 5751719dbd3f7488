"""Metrics for Prometheus, at ``/metrics``: what was counted since the start, and what waits now."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify import __version__
from wbox_notify.config.yaml.problems import errors
from wbox_notify.model.deliveries import OPEN, STUCK, Circuit, Delivery, NextStep, Plan, State
from wbox_notify.model.events import Event
from wbox_notify.model.outcomes import Answer
from wbox_notify.rules.project import Live
from wbox_notify.rules.triggers import ScheduleTrigger
from wbox_notify.store import Store
from wbox_notify.web.browsers import is_address

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 86400.0)


class Metrics(Collector):
    """All metrics of a daemon; no label holds a phone number or a text.

    Counters begin at zero with the process, as Prometheus expects. What waits is read from the store with
    each scrape.
    """

    def __init__(self, live: Live, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._live, self._store, self._clock = live, store, clock
        self._registry = registry = CollectorRegistry()
        name = "wbox_notify_"
        Gauge(f"{name}build_info", "The version.", ["version"], registry=registry).labels(__version__).set(1)
        self._events = Counter(f"{name}events", "Events by their trigger.", ["trigger"], registry=registry)
        self._decisions = Counter(
            f"{name}decisions", "Decisions of rules.", ["rule", "stage", "outcome"], registry=registry
        )
        self._fired = Gauge(
            f"{name}rule_last_fired_timestamp_seconds", "When a rule last ran.", ["rule"], registry=registry
        )
        self._attempts = Counter(
            f"{name}attempts",
            "Calls of wbox, or of another service.",
            ["kind", "outcome", "status"],
            registry=registry,
        )
        self._deliveries = Counter(
            f"{name}deliveries",
            "Deliveries that an attempt ended.",
            ["rule", "kind", "state"],
            registry=registry,
        )
        self._latency = Histogram(
            f"{name}attempt_seconds", "Time of a call.", ["kind"], buckets=_SECONDS, registry=registry
        )
        self._until_sent = Histogram(
            f"{name}until_sent_seconds",
            "From the plan of a message until wbox took it.",
            buckets=_SECONDS,
            registry=registry,
        )
        registry.register(self)
        self._labelled = cache(lambda metric, *labels: metric.labels(*labels))

    def planned(self, event: Event | None, plan: Plan) -> None:
        """Count an event and the decisions of a plan."""
        if event:
            self._labelled(self._events, event.type).inc()
        for decision in plan.decisions:
            stage = decision.stage.partition("[")[0]
            self._labelled(self._decisions, decision.rule, stage, decision.outcome).inc()
            self._labelled(self._fired, decision.rule).set(self._clock())

    def attempted(self, delivery: Delivery, answer: Answer, then: NextStep) -> None:
        """Count an attempt, and the delivery if it is over."""
        kind = delivery.message.kind if delivery.message else "none"
        self._labelled(self._attempts, kind, answer.outcome, answer.status or "").inc()
        self._labelled(self._latency, kind).observe(answer.latency)
        if then.state not in OPEN:
            self._labelled(self._deliveries, delivery.rule, kind, then.state).inc()
        if then.state is State.SENT:
            self._until_sent.observe(max(self._clock() - delivery.created, 0.0))

    def collect(self) -> Iterator[Metric]:
        """Yield what waits, and the rules in use."""
        counts = self._store.counts((*OPEN, *STUCK))
        queue = GaugeMetricFamily("wbox_notify_queue", "Deliveries that wait or are stuck.", labels=["state"])
        for state in (*OPEN, *STUCK):
            queue.add_metric([state.value], counts.get(state, 0))
        yield queue
        oldest = self._store.oldest_waiting()
        age = 0.0 if oldest is None else max(self._clock() - oldest, 0.0)
        yield GaugeMetricFamily("wbox_notify_queue_oldest_seconds", "Age of the oldest that waits.", age)
        yield _paused(self._store.circuits())
        yield from self._rules()

    def _rules(self) -> Iterator[Metric]:
        project = self._live.project
        yield GaugeMetricFamily("wbox_notify_rules", "Rules in use.", len(project.rules))
        problems = len(errors(project.problems))
        yield GaugeMetricFamily("wbox_notify_config_errors", "Errors in the project's files.", problems)
        due = GaugeMetricFamily(
            "wbox_notify_rule_next_fire_timestamp_seconds", "When a schedule is due.", labels=["rule"]
        )
        moment = datetime.fromtimestamp(self._clock(), UTC)
        for rule in project.rules:
            times = [
                trigger.schedule.after(moment)
                for trigger in rule.triggers
                if isinstance(trigger, ScheduleTrigger)
            ]
            if first := min(filter(None, times), default=None):
                due.add_metric([rule.id], first.timestamp())
        yield due

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)


def _paused(circuits: list[Circuit]) -> Metric:
    paused = GaugeMetricFamily(
        "wbox_notify_device_paused", "1 for a device that cannot send; * is all.", labels=["device", "reason"]
    )
    for circuit in circuits:
        paused.add_metric([circuit.device, circuit.reason.value], 1)
    return paused


def metrics_route(metrics: Metrics) -> Route:
    """Return the route of the metrics, which answers programs on this machine alone."""

    async def show(request: Request) -> Response:
        host = request.client.host if request.client else ""
        if not is_address(host) or not ip_address(host).is_loopback:
            raise HTTPException(403, "metrics are for programs on this machine")
        return Response(await run_in_threadpool(metrics.text), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return Route("/metrics", show)
