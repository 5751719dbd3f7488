"""``wbox-notify init``."""

import importlib.resources
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import NamedTuple, TypeVar

import click

from wbox_notify.cli import complete
from wbox_notify.cli.gallery import rule_file
from wbox_notify.cli.output import fail, json_option, say, say_json
from wbox_notify.config import private
from wbox_notify.config.fields import as_zone
from wbox_notify.config.reading import checked_key
from wbox_notify.config.settings import FILE
from wbox_notify.config.values import plain, system_zone
from wbox_notify.errors import MessageError, WboxError
from wbox_notify.model.phones import normalise, region_of
from wbox_notify.model.texts import LANGUAGES, Wording, _, problem_of, spoken
from wbox_notify.rules.json_schema import rule_schema, settings_schema

T = TypeVar("T")

_KEY_FILE = "api-key"
_TAKEN = (FILE, "rules", "templates", "schema", _KEY_FILE)
_IGNORED = (f"/{_KEY_FILE}", "/drop/", "/data/", "/secrets/")
_SCHEMA = "# yaml-language-server: $schema=../schema/rules.json\n"
_NOBODY = "12025550100"
"""A number that is kept free for examples, so that no stranger gets a message."""
_KEY_VARIABLES = ("WBOX_API_KEY", "WBOX_API_KEY_FILE")


class _Answers(NamedTuple):
    """What a project is made of; ``phone`` and ``key`` are empty where they are not known yet."""

    lang: str
    zone: str
    phone: str = ""
    key: str = ""


@click.command("init")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option(
    "--from",
    "chosen",
    multiple=True,
    metavar="NAME",
    shell_complete=complete.gallery,
    help="Begin with a rule of the gallery; several times for several rules.",
)
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@json_option
@click.pass_obj
def init(
    config: Path | None, /, folder: Path | None, *, chosen: Sequence[str], yes: bool, as_json: bool
) -> int:
    """Write a new project: settings, a rule with tests, a template, and the JSON Schema for your editor.

    The gallery (docs/gallery.md) has thirty rules to begin with: `--from new-order`.

    In a terminal it asks for your language, number, time zone and wbox key. FOLDER is by default this one;
    what is there already stays as it is.
    """
    folder = plain(folder or config or Path())
    _refuse_project(folder)
    answers = _Answers(spoken.get(), str(system_zone(os.environ)))
    rules = _rules(chosen, answers.lang)  # a name that is unknown is told before anything is asked
    if sys.stdin.isatty() and not yes and not as_json:
        answers = _asked(answers)
        rules = _rules(chosen, answers.lang)
    try:
        written = _write(folder, _files(answers, rules), answers.key)
    except OSError as error:
        raise WboxError(f"{error.filename or folder}: {error.strerror}") from error
    steps = _steps(folder, own=not rules)
    if as_json:
        say_json({"folder": str(folder), "files": written, "next": [*steps]})
    else:
        _explain(folder, written, answers, steps)
    return 0


def _rules(chosen: Sequence[str], lang: str) -> dict[str, str]:
    """Return the files of the chosen rules of the gallery by their paths."""
    return {f"rules/{name}.yaml": _SCHEMA + rule_file(name, lang) for name in chosen}


def _refuse_project(folder: Path) -> None:
    """Raise WboxError where a folder has what a project is made of."""
    for name in _TAKEN:
        if os.path.lexists(folder / name):
            hint = "name another folder: wbox-notify init FOLDER"
            raise WboxError(Wording("{folder} has {name} already", folder=folder, name=name), hint=hint)


def _steps(folder: Path, *, own: bool) -> dict[str, str]:
    """Return the commands that come next, each with its purpose; ``own`` is the rule that watches drop/."""
    start = _("start; then put a file into drop/") if own else _("start; what it waits for, the rule says")
    steps = {
        "wbox-notify test": _("run the tests of the rule"),
        "wbox-notify pair": _("link the phone"),
        "wbox-notify run": start,
    }
    if folder != Path.cwd():
        steps = {f"cd {shlex.quote(os.path.relpath(folder))}": "", **steps}
    return steps


def _asked(answers: _Answers) -> _Answers:
    """Return what a person at the terminal answers; ``answers`` are offered."""
    lang = click.prompt("Language, dil", type=click.Choice(LANGUAGES), default=answers.lang)
    spoken.set(lang)
    region = "TR" if lang == "tr" else None
    phone = _ask(
        _("Your WhatsApp number, with + and the country code"), lambda number: normalise(number, region)
    )
    zone = _ask(_("Your time zone"), as_zone, default=_likely_zone(answers.zone, phone))
    key = ""
    if not _has_key():
        question = _("Your wbox key, from wbox: Settings > API Access (not shown; Enter: later)")
        key = _ask(question, lambda typed: typed and checked_key(typed.strip()), default="", hidden=True)
    return _Answers(lang, str(zone), phone, key)


def _likely_zone(machine: str, phone: str) -> str:
    """Return the zone of the machine, but for a server that keeps UTC the one of the country of the phone."""
    from wbox_notify.templates.cldr import only_zone  # noqa: PLC0415 - Babel takes long to load

    if machine not in {"UTC", "Etc/UTC"}:
        return machine
    return only_zone(region_of(phone) or "") or machine


def _has_key() -> bool:
    """Return whether the environment has a key, or names its file."""
    return any(map(os.environ.get, _KEY_VARIABLES))


def _ask(question: str, read: Callable[[str], T], *, default: str | None = None, hidden: bool = False) -> T:
    """Ask until the answer can be read."""
    while True:
        answer = click.prompt(question, default=default, hide_input=hidden, show_default=bool(default))
        try:
            return read(answer)
        except WboxError as error:
            problem = error.problem if isinstance(error, MessageError) else problem_of(error)
            fail(problem, error.hint, error.exit_code, as_json=False)


def _files(answers: _Answers, rules: Mapping[str, str]) -> dict[str, str]:
    """Return the text of each file by its path; the settings make a folder a project, so they are last."""
    region = answers.phone and region_of(answers.phone)
    known = {
        "lang": answers.lang,
        "zone": answers.zone,
        "phone": f"+{answers.phone or _NOBODY}",
        "region": region or "TR",
        "no_region": _unless(region),
        "no_key": _unless(answers.key),
    }
    project = importlib.resources.files("wbox_notify.cli") / "new_project" / answers.lang
    own = ("templates/new-file.j2", "rules/new-file.yaml")
    return {
        "schema/rules.json": _json(rule_schema()),
        "schema/settings.json": _json(settings_schema()),
        **(rules or {name: _text(project / name) for name in own}),
        FILE: Template(_text(project / FILE)).safe_substitute(known),
    }


def _unless(known: object) -> str:
    """Return what makes a comment of a line whose value is not known."""
    return "" if known else "# "


def _text(file: Traversable) -> str:
    return file.read_text(encoding="utf-8")


def _json(schema: object) -> str:
    return json.dumps(schema, ensure_ascii=False, indent=1) + "\n"


def _write(folder: Path, files: Mapping[str, str], key: str) -> list[str]:
    """Write the files, the key for our user alone; return their names. Raises OSError."""
    (folder / "drop").mkdir(parents=True, exist_ok=True)
    _ignore(folder / ".gitignore")
    names = [".gitignore", *files]
    if key:
        private.write(folder / _KEY_FILE, f"{key}\n".encode())
        names.append(_KEY_FILE)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        with (folder / name).open("x", encoding="utf-8") as file:
            file.write(text)
    return names


def _ignore(path: Path) -> None:
    """Keep the key, the secrets and the data out of git; lines that are there already stay."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    missing = [line for line in _IGNORED if line not in text.splitlines()]
    if text and not text.endswith("\n"):
        missing.insert(0, "")
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in missing)


def _explain(folder: Path, files: Iterable[str], answers: _Answers, steps: Mapping[str, str]) -> None:
    """Say what has been written, what is missing, and which commands come next."""
    key, settings = (shlex.quote(os.path.relpath(folder / name)) for name in (_KEY_FILE, FILE))
    say(_("This is in {folder}:", folder=folder))
    for name in files:
        say(f"  {name}")
    if not answers.phone:
        say(_("Put your number into {file}, under contacts.", file=settings))
    if not answers.key and not _has_key():
        text = _(
            "Put your wbox key into {key}: install -m 600 /dev/stdin {key} (paste it, Enter, Ctrl-D). "
            "Then remove the # before api_key_file in {file}.",
            key=key,
            file=settings,
        )
        say(text)
    say(_("Next:"))
    for command, purpose in steps.items():
        say(f"  {command:<18} {purpose}".rstrip())
