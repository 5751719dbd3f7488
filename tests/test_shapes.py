"""What each command prints with ``--json`` is in the shape that docs/json.md describes."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jsonschema import ValidationError
from workplace import SHAPES, in_shape, running, settings_for, shape_of, until

from wbox_notify.cli import COMMANDS, group, main
from wbox_notify.cli.run import Feed
from wbox_notify.errors import Exit
from wbox_notify.model.deliveries import Decision, Delivery, NextStep, Plan, State
from wbox_notify.model.events import Event
from wbox_notify.model.messages import Text
from wbox_notify.model.outcomes import Answer, Outcome
from wbox_notify.simulator import Simulator

RULES = """
version: 1
rules:
  - id: called
    trigger: {webhook: {path: call, open: true}}
    if: body.used > 1
    to: "+905551110002"
    send: {text: "{{ body.used }}"}
    tests:
      - name: told
        when: {webhook: {body: {used: 2}}}
        expect: [{text: "2"}]
  - id: later
    trigger: {webhook: {path: later, open: true}}
    digest: {at: "18:00"}
    to: "+905551110002"
    send: {text: "{{ events | length }}"}
  - id: dropped
    trigger: {file: {path: drop, match: "*.txt"}}
    to: "+905551110002"
    send: {text: "{{ file.name }}"}
  - id: dated
    trigger: {webhook: {path: dated, open: true}}
    remind: {key: body.id, at: "{{ body.day }} 09:00", before: [1h]}
    to: "+905551110002"
    send: {text: "{{ body.id }}"}
  - id: nightly
    trigger: {schedule: "09:00"}
    to: "+905551110002"
    send: {text: hello}
"""
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Run a command beside a daemon that has told of a call, holds one, and has seen an unwanted file."""
    folder = tmp_path_factory.mktemp("shapes")
    for name in ("rules", "drop"):
        (folder / name).mkdir()
    (folder / "rules" / "all.yaml").write_text(RULES)
    (folder / "drop" / "A.PDF").write_text("x")

    def run(*words: str, **environ: str) -> Result:
        given = {**settings, **environ, "WBOX_CONFIG": str(folder)}
        return CliRunner().invoke(group, [*words, "--json"], env=given, standalone_mode=False)

    with Simulator() as wbox:
        settings = settings_for(wbox, folder / "data")
        with running(folder, settings):
            run("trigger", "called", "--data", '{"used": 2}')
            run("trigger", "later")
            run("trigger", "dated", "--data", '{"id": 7, "day": "2099-01-01"}')
            wbox.wait_for(1, 60)
            until(lambda: "sent" in run("log").stdout, 60)
            yield run


def printed(result: Result, *words: str) -> list[object]:
    """Return the lines that a command prints, each in its shape."""
    if result.exception:
        raise result.exception
    return [in_shape(line, *words) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("log",),
        ("why",),
        ("show", "1"),
        ("queue", "list"),
        ("queue", "counts"),
        ("queue", "retry", "--all"),
        ("queue", "release", "--all"),
        ("queue", "drop", "--all", "--yes"),
        ("queue", "cancel", "dated", "8"),
        ("send", "text", "+905551110003", "hello"),
        ("ack", "called"),
        ("silence", "nightly", "1h"),
        ("silence", "nightly", "off"),
        ("replay", "--rule", "called", "--yes"),
        ("plan",),
        ("plan", "--next"),
        ("trigger", "called", "--dry-run", "--data", '{"used": 2}'),
        ("trigger", "nightly"),
        ("check",),
        ("test",),
        ("pair",),
        ("install", "service", "--print"),
    ],
    ids=" ".join,
)
def test_it_is_as_it_is_described(command: Command, words: tuple[str, ...]) -> None:
    assert printed(command(*words), *words)


def test_a_reminder_in_the_queue_and_a_file_that_nobody_wants_are_among_them(command: Command) -> None:
    assert "dated" in command("queue", "list").stdout
    assert "A.PDF" in command("check").stdout


def test_a_new_project_and_the_plugin_say_where_they_are(command: Command, tmp_path: Path) -> None:
    assert printed(command("init", str(tmp_path / "new")), "init")
    assert printed(command("install", "apprise", "--to", str(tmp_path)), "install", "apprise")


def test_what_run_prints_is_a_line_for_each_plan_and_each_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    event = Event(id="e", type="webhook", at=now, data={"path": "call"})
    decision = Decision(rule="r", stage="if", outcome="passed", detail="")
    delivery = Delivery(
        id=1,
        event_id="e",
        rule="r",
        key="k",
        message=Text(phone="905551110002", message="x"),
        state=State.SENDING,
        device="",
        due=1.0,
        created=1.0,
        expires=2.0,
    )
    then = NextStep(state=State.SENT, due=1.0, tries=1, unknowns=0, reason="")
    with Feed(as_json=True) as feed:
        feed.planned(event, Plan(event_id="e", decisions=(decision,)))
        feed.planned(None, Plan(event_id="e"))
        feed.attempted(delivery, Answer(outcome=Outcome.SENT, detail="ok", status=200), then)
    lines = capsys.readouterr().out.splitlines()
    assert [in_shape(line, "run")["event"] for line in lines] == ["e"] * 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["show", "99"], Exit.FAILED),
        (["show", "x"], Exit.USAGE),
        (["--config", "/nowhere", "status"], Exit.INVALID),
    ],
)
def test_an_error_is_one_object_on_stderr(
    command: Command, capsys: pytest.CaptureFixture[str], words: list[str], code: Exit
) -> None:
    assert command("status").return_value == Exit.DONE  # the folder and its settings are in the environment
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    assert ended.value.code == code
    assert in_shape(capsys.readouterr().err, "error")["exit"] == code


def test_every_command_is_described() -> None:
    described = {name.partition(" ")[0] for name in SHAPES["properties"]}
    assert set(COMMANDS) - described == {
        "console",
        "schema",
        "exec",
    }  # a link for a person; what a job prints is its own


def test_another_key_or_a_time_without_a_zone_is_found() -> None:
    assert shape_of("plan", "--next") == "plan --next"
    for until_ in ("2026-11-30T09:00:00", "soon", 7):
        with pytest.raises(ValidationError):
            in_shape(json.dumps({"rule": "r", "until": until_}), "silence")
    with pytest.raises(ValidationError):
        in_shape(json.dumps({"rule": "r", "count": 1, "more": 2}), "ack")
