"""``wbox-notify check``."""

from pathlib import Path

import click

from wbox_notify.cli.output import json_option, say, say_json, shown
from wbox_notify.cli.project import count, open_project, print_problems
from wbox_notify.documents.problems import errors
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
    project = open_project(path or config)
    problems = check(project)
    wrong = len(errors(problems))
    warnings = len(problems) - wrong
    if as_json:
        rules = [{"id": rule.id, "file": rule.file, "line": rule.line} for rule in project.rules]
        say_json({"rules": rules, "problems": [problem.as_json() for problem in problems]})
    else:
        for rule in project.rules:
            say(f"{click.style('ok', fg='green')}  {rule.id}   {shown(summary(rule))}")
        print_problems(problems)
        totals = (count(len(project.rules), "rule"), count(wrong, "error"), count(warnings, "warning"))
        say(f"{', '.join(totals)} in {project.settings.folder}")
    return 1 if wrong or (strict and warnings) else 0
