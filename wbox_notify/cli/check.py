"""``wbox-notify check`` and ``wbox-notify schema``."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import click

from wbox_notify.cli.output import json_option, say, say_json
from wbox_notify.cli.project import open_project, print_problems
from wbox_notify.config.yaml.problems import Problem, errors, in_order
from wbox_notify.daemon.preview import Preview, preview
from wbox_notify.errors import StoreError
from wbox_notify.model.file_version import Known
from wbox_notify.model.text import printable
from wbox_notify.model.texts import _, plural, spoken
from wbox_notify.rules.check import check as find_problems
from wbox_notify.rules.json_schema import rule_schema, settings_schema
from wbox_notify.rules.project import Project
from wbox_notify.rules.summary import summary
from wbox_notify.store import open_history

log = logging.getLogger(__name__)


@click.command("check")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@json_option
@click.pass_obj
def check(config: Path | None, path: Path | None, strict: bool, as_json: bool) -> int:
    """Check the settings, rules and templates of a project folder.

    Exits with 0 when there are no errors, else with 1.
    """
    project = open_project(path or config)
    files = preview(project, _known(project))
    problems = list(in_order([*find_problems(project), *files.problems]))
    wrong = len(errors(problems))
    if as_json:
        _print_json(project, files, problems)
    else:
        _print(project, files, problems)
    return int(wrong > 0 or (strict and bool(problems)))


def _known(project: Project) -> Known:
    """Return the look-up of the files that were seen; without a store all files are new."""
    try:
        history = open_history(project.settings.store)
    except StoreError as error:
        log.warning("which files were seen before is not known: %s", error.with_hint)
        history = None
    return history.known if history else lambda _versions: {}


def _print_json(project: Project, files: Preview, problems: Sequence[Problem]) -> None:
    rules = [
        {"id": rule.id, "file": rule.file, "line": rule.line, "files": files.new[rule.id]}
        for rule in project.rules
    ]
    unwanted = [folder._asdict() for folder in files.unwanted]
    say_json({"rules": rules, "unwanted": unwanted, "problems": [problem.as_json() for problem in problems]})


def _print(project: Project, files: Preview, problems: Sequence[Problem]) -> None:
    for rule in project.rules:
        line = f"{click.style('ok', fg='green')}  {rule.id}   {printable(summary(rule).to(spoken.get()))}"
        new = files.new[rule.id]
        if new and files.complete:
            line += " " + plural("({number} new file)", "({number} new files)", new)
        elif new:
            line += " " + plural("(at least {number} new file)", "(at least {number} new files)", new)
        say(line)
    for folder in files.unwanted:
        say(f"    {printable(folder.text.to(spoken.get()))}")
    print_problems(problems)
    wrong = len(errors(problems))
    parts = [
        plural("{number} rule without errors", "{number} rules without errors", len(project.rules)),
        plural("{number} error", "{number} errors", wrong),
        plural("{number} warning", "{number} warnings", len(problems) - wrong),
    ]
    say(_("{found} in {folder}", found=", ".join(parts), folder=project.settings.folder))


@click.command("schema")
@click.argument("which", type=click.Choice(["rules", "settings", "output"]), default="rules")
@json_option
def schema(which: str, as_json: bool) -> int:
    """Print the JSON Schema of rule files, of wbox-notify.yaml, or of what commands print with --json.

    For an editor, save it and write at the top of a rule file: # yaml-language-server: $schema=./schema.json
    """
    from wbox_notify.cli.shapes import output_schema  # noqa: PLC0415 - `check` needs none of its models

    schemas = {"rules": rule_schema, "settings": settings_schema, "output": output_schema}
    document = schemas[which]()
    if as_json:
        say_json(document)
    else:
        say(json.dumps(document, ensure_ascii=False, indent=2))
    return 0
