"""What docs/rules.md and docs/schedules.md say of the way of an event, and of clocks that change."""

from pathlib import Path

import pytest
from rulebook import project, rule_file

from wbox_notify.engine.rule_tests import run_all

SETTINGS = 'defaults: {tz: Europe/Berlin}\ncontacts: {a: "+905551112233", b: "+905551112244"}\n'
CALL = "trigger: {webhook: {path: x, open: true}}\nto: a\n"
ALERTS = "trigger: {webhook: {path: x, open: true, preset: alertmanager}}\nto: a\n"
WAYS = {
    "an event at the very time of a digest is in the next one": CALL
    + """\
digest: {at: "18:00"}
tests:
  - name: x
    when: {at: 2026-11-23 18:00, webhook: {body: {}}}
    until: 3d
    expect: {at: 2026-11-24 18:00}
""",
    "dedupe counts from the first event, and a repeated one does not prolong it": CALL
    + """\
dedupe: {key: body.id, for: 1d}
tests:
  - name: x
    when:
      - {at: 2026-11-23 10:00, webhook: {body: {id: 1}}}
      - {after: 20h, webhook: {body: {id: 1}}}
      - {after: 5h, webhook: {body: {id: 1}}}
    expect: [{at: 2026-11-23 10:00}, {at: 2026-11-24 11:00}]
""",
    "dedupe does not remember what throttle drops": CALL
    + """\
dedupe: body.id
throttle: {max: 1, per: 10m, overflow: drop}
tests:
  - name: x
    when:
      - {at: 2026-11-23 10:00, webhook: {body: {id: 1}}}
      - {after: 1m, webhook: {body: {id: 2}}}
      - {after: 20m, webhook: {body: {id: 2}}}
    expect: [{at: 2026-11-23 10:00}, {at: 2026-11-23 10:21}]
""",
    "throttle tells the number of the others when the oldest event no longer counts": CALL
    + """\
throttle: 1/10m
tests:
  - name: x
    when:
      - {at: 2026-11-23 10:00, webhook: {body: {}}}
      - {after: 5m, webhook: {body: {}}}
    expect: [{at: 2026-11-23 10:00}, {at: 2026-11-23 10:10, text: {contains: "1 more"}}]
""",
    "a new member of a group is told at once where the last message is long ago": ALERTS
    + """\
group: {repeat: never}
tests:
  - name: x
    when:
      - at: 2026-11-23 10:00
        webhook: {body: {alerts: [{status: firing, fingerprint: a, labels: {}}]}}
      - after: 1h
        webhook: {body: {alerts: [{status: firing, fingerprint: b, labels: {}}]}}
    expect: [{at: 2026-11-23 10:00:30}, {at: 2026-11-23 11:00}]
""",
    "a member of a group without a status is told once": CALL
    + """\
group: {repeat: 1h}
tests:
  - name: x
    when: {at: 2026-11-23 10:00, webhook: {body: {}}}
    expect: {at: 2026-11-23 10:00:30}
""",
    "after quiet hours, `if` is not asked again, and `now` in the message is the time then": CALL
    + """\
if: now.hour >= 18
quiet_hours: 22:00-07:30
send: {text: "{{ now | time }}"}
tests:
  - name: x
    when: {at: 2026-11-23 23:00, webhook: {body: {}}}
    expect: {at: 2026-11-24 07:30, text: "07:30"}
""",
    "a step counts from the first message, not from the event": CALL
    + """\
quiet_hours: 22:00-07:30
escalate: {after: 15m, to: b, send: {text: b}}
tests:
  - name: x
    when: {at: 2026-11-23 23:00, webhook: {body: {}}}
    expect: [{at: 2026-11-24 07:30, to: a}, {at: 2026-11-24 07:45, to: b}]
""",
    "a text such as `n` counts as yes, an empty one as no": CALL
    + """\
if: body.x
tests:
  - {name: n, when: {webhook: {body: {x: "n"}}}, expect: {to: a}}
  - {name: empty, when: {webhook: {body: {x: ""}}}, expect: [], skipped: if}
""",
    "a time that clocks skip is due at the end of the gap, and one that comes twice is due once": """\
trigger: {schedule: "02:30"}
tests:
  - name: spring
    next_runs_from: 2026-03-28 12:00
    next_runs: [2026-03-29T03:00+02:00, 2026-03-30T02:30+02:00]
  - name: autumn
    next_runs_from: 2026-10-24 12:00
    next_runs: [2026-10-25T02:30+02:00, 2026-10-26T02:30+01:00]
""",
    "steps of cron follow real time": """\
trigger: {schedule: {cron: "*/30 * * * *"}}
tests:
  - name: spring
    next_runs_from: 2026-03-29T01:30+01:00
    next_runs: [2026-03-29T03:00+02:00, 2026-03-29T03:30+02:00]
  - name: autumn
    next_runs_from: 2026-10-25T02:00+02:00
    next_runs: [2026-10-25T02:30+02:00, 2026-10-25T02:00+01:00, 2026-10-25T02:30+01:00]
""",
}


@pytest.mark.parametrize("text", WAYS.values(), ids=WAYS.keys())
def test_an_event_goes_its_way_as_the_pages_say(tmp_path: Path, text: str) -> None:
    rules = project(tmp_path, {"wbox-notify.yaml": SETTINGS, "rules/a.yaml": rule_file(text)})
    assert [problem.message for problem in rules.problems if problem.severity == "error"] == []
    results = list(run_all(rules, rules.rules))
    assert results
    assert [result.complaints for result in results if not result.passed] == []
