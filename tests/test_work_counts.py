"""What one message costs the store from its webhook to its end, counted and not timed."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from workplace import Workplace, running, until

from wbox_notify.simulator import Simulator

RULE = """
version: 1
rules:
  - id: call
    trigger: {webhook: {path: call, open: true}}
    to: "{{ body.phone }}"
    send: {text: "{{ body.mark }}"}
"""
MESSAGES, CALLERS = 200, 8


def test_a_message_takes_three_jobs_of_the_writer_and_three_reads_at_most(
    place: Workplace, wbox: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many calls at once, so that the end of a message and the claim of another one can share a job."""
    place.rule(RULE)
    (place.folder / "wbox-notify.yaml").write_text("version: 1\nstorm_guard: 1000000\n")
    counts: Counter[str] = Counter()
    with running(place.folder, {**place.environment, "WBOX_PACE": "unlimited"}) as daemon:
        database = daemon._store._database
        for verb in ("write", "read"):
            monkeypatch.setattr(database, verb, counted(counts, verb, getattr(database, verb)))

        def call(number: int) -> int:
            body = {"phone": f"+90555{number:07}", "mark": f"number {number}"}
            return requests.post(f"{daemon.url}/hook/call", json=body, timeout=10).status_code

        with ThreadPoolExecutor(CALLERS) as callers:
            assert set(callers.map(call, range(MESSAGES))) == {202}
        until(lambda: len(wbox.messages()) == MESSAGES)
    assert 0 < counts["write"] <= 3 * MESSAGES
    assert 0 < counts["read"] <= 3 * MESSAGES


def counted(calls: Counter[str], verb: str, done: Callable[..., Any]) -> Callable[..., Any]:
    def call(*values: Any) -> Any:
        calls[verb] += 1
        return done(*values)

    return call
