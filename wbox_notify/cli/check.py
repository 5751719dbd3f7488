"""``wbox-notify check``."""

from pathlib import Path

import click

from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import count, open_project, print_problems
from wbox_notify.config.yaml.problems import errors, in_order
from wbox_notify.errors import StoreError
from wbox_notify.model.file_version import Known
from wbox_notify.model.text import printable
from wbox_notify.rules import Project
from wbox_notify.rules.check import check, summary


@click.command("check")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@json_option
@click.pass_obj
def command(config: Path | None, path: Path | None, strict: bool, as_json: bool) -> int:
    """Check the settings, rules and templates of a project folder.

    Ends with 0 when all is well and with 1 when something has to be mended.
    """
    from wbox_notify.daemon.preview import survey

    project = open_project(path or config)
    found = survey(project, _known(project))
    problems = list(in_order([*check(project), *found.problems]))
    wrong = len(errors(problems))
    warnings = len(problems) - wrong
    if as_json:
        rules = [
            {"id": rule.id, "file": rule.file, "line": rule.line, "files": found.files[rule.id]}
            for rule in project.rules
        ]
        unwanted = [one._asdict() for one in found.unwanted]
        say_json(
            {"rules": rules, "unwanted": unwanted, "problems": [problem.as_json() for problem in problems]}
        )
    else:
        for rule in project.rules:
            waiting = _waiting(found.files[rule.id], whole=found.whole)
            say(f"{click.style('ok', fg='green')}  {rule.id}   {printable(summary(rule))}{waiting}")
        for files in found.unwanted:
            say(f"    {printable(str(files))}")
        print_problems(problems)
        good = f"{count(len(project.rules), 'rule')} without errors"
        totals = ", ".join((good, count(wrong, "error"), count(warnings, "warning")))
        say(f"{totals} in {project.settings.folder}")
    return 1 if wrong or (strict and warnings) else 0


def _waiting(files: int, *, whole: bool) -> str:
    """Return how many files a rule would take now, as the end of a line."""
    least = "" if whole else "at least "
    return f" ({least}{count(files, 'new file')})" if files else ""


def _known(project: Project) -> Known:
    """Return who knows the files that were seen; where there is no store yet, all are new."""
    from wbox_notify.store import open_history

    try:
        history = open_history(project.settings.store)
        if history:
            history.known([])  # an older version of wbox-notify made a store without this
    except StoreError:
        history = None
    return history.known if history else lambda _versions: {}
