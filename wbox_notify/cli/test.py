"""``wbox-notify test``."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from wbox_notify.cli import stop_on_signals
from wbox_notify.cli.output import json_option, lasted, say, say_json
from wbox_notify.cli.project import folder, open_project, print_problems
from wbox_notify.config.yaml.problems import errors
from wbox_notify.daemon.watcher import ProjectWatcher
from wbox_notify.engine.rule_tests import Trial, run_all
from wbox_notify.model.text import printable

_NOTHING = 3


@click.command("test")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("-k", "name", default="", help="Only tests with this in the name of the test or its rule.")
@click.option("--watch", is_flag=True, help="Run them again whenever a file is saved.")
@json_option
@click.pass_obj
def test(config: Path | None, path: Path | None, name: str, watch: bool, as_json: bool) -> int:
    """Run the ``tests:`` of the rules through the real engine, with a clock of their own.

    Ends with 0 when all pass, 1 when one fails, 3 when there is none.
    """
    code = _run(path or config, name, as_json=as_json)
    if watch:
        stop = stop_on_signals()
        again = partial(_again, path or config, name, as_json=as_json)
        changes = ProjectWatcher(folder(path or config), changed=again, report=say)
        changes.start()
        stop.wait()
        changes.stop()
    return code


def _again(config: Path | None, name: str, *, as_json: bool) -> None:
    if not as_json:
        say()
    _run(config, name, as_json=as_json)


def _run(config: Path | None, name: str, *, as_json: bool) -> int:
    began = time.monotonic()
    project = open_project(config)
    wrong = errors(project.problems)
    print_problems(wrong)
    trials = [
        trial for trial in run_all(project, project.rules) if name in f"{trial.rule.id}: {trial.test.name}"
    ]
    if as_json:
        say_json([_fields(trial) for trial in trials])
    else:
        _print(trials, time.monotonic() - began)
    if wrong:
        return 1
    if not trials:
        return _NOTHING
    return 0 if all(trial.passed for trial in trials) else 1


def _print(trials: Sequence[Trial], seconds: float) -> None:
    for trial in trials:
        word = click.style("PASS", fg="green") if trial.passed else click.style("FAIL", fg="red", bold=True)
        say(f"{word}  {trial.rule.id}: {printable(trial.test.name)}")
        if not trial.passed:
            say(f"      {trial.rule.file}:{trial.test.line}")
        for complaint in trial.complaints:
            say(f"      {printable(complaint)}")
    failed = sum(not trial.passed for trial in trials)
    say(f"{len(trials) - failed} passed, {failed} failed in {lasted(seconds)}")


def _fields(trial: Trial) -> dict[str, object]:
    return {
        "rule": trial.rule.id,
        "test": trial.test.name,
        "passed": trial.passed,
        "file": trial.rule.file,
        "line": trial.test.line,
        "complaints": list(trial.complaints),
    }
