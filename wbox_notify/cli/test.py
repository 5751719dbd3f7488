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
from wbox_notify.engine.rule_tests import RuleTestResult, run_all
from wbox_notify.errors import Exit
from wbox_notify.model.text import printable
from wbox_notify.model.texts import _, spoken, translated


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
    results = [
        result
        for result in run_all(project, project.rules)
        if name in f"{result.rule.id}: {result.test.name}"
    ]
    if as_json:
        say_json([_fields(result) for result in results])
    else:
        _print(results, time.monotonic() - began)
    if wrong:
        return 1
    if not results:
        return Exit.NOTHING
    return 0 if all(result.passed for result in results) else 1


def _print(results: Sequence[RuleTestResult], seconds: float) -> None:
    for result in results:
        word = click.style(_("FAIL"), fg="red", bold=True)
        if result.passed:
            word = click.style(_("PASS"), fg="green")
        say(f"{word}  {result.rule.id}: {printable(result.test.name)}")
        if not result.passed:
            say(f"      {result.rule.file}:{result.test.line}")
        for complaint in result.complaints:
            say(f"      {printable(translated(complaint, spoken.get()))}")
    failed = sum(not result.passed for result in results)
    passed, time_taken = len(results) - failed, lasted(seconds)
    say(_("{passed} passed, {failed} failed in {time}", passed=passed, failed=failed, time=time_taken))


def _fields(result: RuleTestResult) -> dict[str, object]:
    return {
        "rule": result.rule.id,
        "test": result.test.name,
        "passed": result.passed,
        "file": result.rule.file,
        "line": result.test.line,
        "complaints": list(result.complaints),
    }
