"""Jobs: what they print and how they end is passed on, and rules hear of it."""

import json
import signal
from contextlib import closing
from typing import Any

import pytest
from workplace import Workplace, ended, until

from wbox_notify.simulator import Simulator
from wbox_notify.store import open_history

RULE = """\
version: 1
rules:
  - id: jobs
    trigger: {webhook: {path: jobs, open: true}}
    to: "+90 555 123 45 67"
    send: {text: "{{ body.name }}"}
"""
WAITS = "i=0; while [ ! -e '{gate}' ] && [ $i -lt 2000 ]; do sleep 0.05; i=$((i + 1)); done"
"""What a job waits for; it ends by itself, also where a test has failed."""


@pytest.fixture
def jobs(place: Workplace) -> Workplace:
    place.rule(RULE, "rules/jobs.yaml")
    return place


def told(place: Workplace) -> list[dict[str, Any]]:
    """Return what rules hear of all jobs, oldest first."""
    store = open_history(place.store)
    assert store
    with closing(store):
        return [json.loads(row["data"])["body"] for row in store.events(most=100)]


@pytest.mark.parametrize(
    ("script", "code", "state"),
    [
        ("exit 0", 0, "done"),
        ("exit 7", 7, "failed"),
        ("kill -9 $$", 137, "failed"),
        ("kill -TERM $$", 143, "failed"),
    ],
)
def test_the_exit_code_is_passed_on_and_told(jobs: Workplace, script: str, code: int, state: str) -> None:
    ran = jobs.run("exec", "--name", "backup", "--", "sh", "-c", f"echo out; echo err >&2; {script}")
    assert (ran.returncode, ran.stdout) == (code, "out\n")
    assert ran.stderr.startswith("err\n")
    [job] = told(jobs)
    assert (job["name"], job["exit"], job["state"]) == ("backup", code, state)
    assert sorted(job["output"].split()) == ["err", "out"]
    assert job["host"]
    assert job["seconds"] >= 0


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/etc/passwd", 126)])
def test_a_program_that_cannot_be_started_ends_as_in_a_shell(
    jobs: Workplace, program: str, code: int
) -> None:
    ran = jobs.run("exec", "--", program)
    assert ran.returncode == code
    assert ran.stderr.startswith(f"{program}: ")
    assert told(jobs)[0]["exit"] == code


def test_options_of_the_job_are_its_own(jobs: Workplace) -> None:
    ran = jobs.run("exec", "echo", "--name", "x", "--json", "-n")
    assert (ran.returncode, ran.stdout) == (0, "--name x --json -n\n")
    assert told(jobs)[0]["name"] == "echo"


def test_the_arguments_are_not_told_and_the_output_only_where_it_may_be(jobs: Workplace) -> None:
    jobs.run("exec", "--no-output", "--", "sh", "-c", "echo hush; : --password=hidden")
    [job] = told(jobs)
    assert job["output"] == ""
    assert "hidden" not in json.dumps(job)


def test_of_much_output_all_is_printed_and_the_last_is_told(jobs: Workplace) -> None:
    ran = jobs.run("exec", "--", "sh", "-c", "yes 0123456789 | head -n 100000; echo ş")
    assert len(ran.stdout) == 1_100_002
    [job] = told(jobs)
    assert len(job["output"]) <= 4000
    assert job["output"].endswith("0123456789\nş")


def test_a_job_that_hangs_is_told_and_goes_on(jobs: Workplace) -> None:
    gate = jobs.folder / "gate"
    script = f"{WAITS.format(gate=gate)}; exit 3"
    process = jobs.start("exec", "--hangs-after", "1ms", "--", "sh", "-c", script)
    until(jobs.has_store)
    until(lambda: [job["state"] for job in told(jobs)] == ["hangs"])
    gate.touch()
    process.communicate(timeout=60)
    assert process.returncode == 3
    assert [(job["state"], job["exit"]) for job in told(jobs)] == [("hangs", None), ("failed", 3)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_goes_to_the_job_which_decides(jobs: Workplace, number: signal.Signals) -> None:
    script = f"trap 'echo bye; exit 4' TERM INT HUP; echo ready; {WAITS.format(gate='/nowhere')}"
    process = jobs.start("exec", "--", "sh", "-c", script)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    assert ended(process, number, within=60)[0] == 4
    assert told(jobs)[0]["output"] == "ready\nbye"


def test_a_child_that_keeps_the_output_open_does_not_hold_up_the_end(jobs: Workplace) -> None:
    gate = jobs.folder / "gate"
    process = jobs.start("exec", "--", "sh", "-c", f"({WAITS.format(gate=gate)}) & echo left; exit 0")
    assert process.stdout
    assert process.stdout.readline() == "left\n"
    until(lambda: process.poll() is not None)
    gate.touch()
    process.communicate()
    assert process.returncode == 0
    assert told(jobs)[0]["state"] == "done"


def test_who_reads_no_more_ends_the_job_as_a_pipe_does(jobs: Workplace) -> None:
    process = jobs.start("exec", "--", "yes")
    assert process.stdout
    process.stdout.read(10)
    process.stdout.close()
    until(lambda: process.poll() is not None)
    process.communicate()
    assert process.returncode == 128 + signal.SIGPIPE


def test_what_cannot_be_told_is_said_and_changes_nothing(place: Workplace) -> None:
    ran = place.run("exec", "--", "sh", "-c", "exit 6")
    assert ran.returncode == 6
    assert "none has the webhook jobs" in ran.stderr
    place.rule("nonsense: [", "wbox-notify.yaml")
    ran = place.run("exec", "--", "sh", "-c", "echo out; exit 6")
    assert (ran.returncode, ran.stdout) == (6, "out\n")
    assert "error" in ran.stderr


def test_that_no_daemon_reads_the_store_is_said_and_changes_nothing(jobs: Workplace) -> None:
    ran = jobs.run("exec", "--", "sh", "-c", "exit 6")
    assert ran.returncode == 6
    assert ran.stderr.startswith(f"wbox-notify: no daemon runs on {jobs.store}, ")
    assert "WBOX_DATA_DIR" in ran.stderr


def test_a_running_daemon_sends_at_once(jobs: Workplace, wbox: Simulator) -> None:
    daemon = jobs.start("run")
    until(jobs.card.exists)
    ran = jobs.run("exec", "--name", "nightly", "--", "true")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert wbox.wait_for(1)[0]["body"]["message"] == "nightly"
    ended(daemon)
