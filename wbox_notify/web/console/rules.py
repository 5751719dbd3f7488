"""The pages about rules: what each waits for, says and remembers, a box to try an event, and its tests."""

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from wbox_notify.config.yaml.problems import Problem, errors
from wbox_notify.engine import ahead
from wbox_notify.engine.rule_tests import run_all
from wbox_notify.model.redaction import redacted
from wbox_notify.model.texts import Wording, translated
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import Contact, OnCall, Outlet, shown
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.summary import words
from wbox_notify.templates import Template
from wbox_notify.templates.budget import within
from wbox_notify.web.console.console import Console
from wbox_notify.web.console.show import iso
from wbox_notify.web.console.trial import forms, tried

HOUR = 3600.0
HOURS = 24
_SECONDS = 3.0
_LINE = re.compile(
    r"(?P<blank>\s*(?:- +)*)(?P<key>[\w.-]+:(?= |$))?"
    r"(?:(?P<text>[^\"']*?)(?P<comment>(?<!\S)#.*)?|(?P<quoted>.*))"
)


def routes(console: Console) -> list[Route]:
    """Return the routes of the pages."""
    pages = _Pages(console)
    return [
        *console.get("/rules", pages.show_all),
        *console.get("/rules/{rule}", pages.show),
        console.post("/rules/{rule}/try", pages.try_event),
        console.post("/rules/{rule}/tests", pages.run_tests),
        *(Route(f"/rules/{{rule}}/{name}", console.inside(pages.again)) for name in ("try", "tests")),
    ]


class _Pages:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._busy = threading.Lock()

    def show_all(self, request: Request) -> Response:
        """Show all rules."""
        return self._console.page(request, "rules.html", all_rules(self._console))

    def show(self, request: Request) -> Response:
        """Show one rule."""
        return self._page(request, self._rule(request), {})

    def try_event(self, request: Request) -> Response:
        """Show what would follow from an event."""
        rule = self._rule(request)
        given = {name: values[0] for name, values in request.state.form.items()}
        console = self._console
        with self._alone():
            result = tried(console.live.project, rule, given, console.store, console.lang(request))
        return self._page(request, rule, given, result=result)

    def run_tests(self, request: Request) -> Response:
        """Show how the tests of the rule end."""
        rule = self._rule(request)
        with self._alone():
            results = tested(self._console.live.project, rule, self._console.lang(request))
        return self._page(request, rule, {}, tested=results)

    def again(self, request: Request) -> Response:
        """Lead back to the rule from the address of a result, which cannot be opened."""
        return RedirectResponse(f"/rules/{quote(request.path_params['rule'])}", 303)

    def _page(self, request: Request, rule: Rule, given: Mapping[str, str], **more: Any) -> Response:
        model = one_rule(self._console, rule)
        for form in model["forms"]:
            if str(form["trigger"]) == given.get("trigger"):
                form |= {name: value for name, value in given.items() if name in form and name != "trigger"}
        return self._console.page(request, "rule.html", {**model, "result": None, "tested": None, **more})

    def _rule(self, request: Request) -> Rule:
        rule = self._console.live.project.rule(request.path_params["rule"])
        if rule is None:
            raise HTTPException(404, Wording("there is no such rule"))
        return rule

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one thing be tried at a time, for some seconds: it may be anything."""
        if not self._busy.acquire(blocking=False):
            raise HTTPException(429, Wording("another try is still running: wait a moment"))
        try:
            with within(_SECONDS):
                yield
        finally:
            self._busy.release()


def all_rules(console: Console) -> dict[str, Any]:
    """Return the model of the page of all rules."""
    project, now = console.live.project, console.now()
    ids = [rule.id for rule in project.rules]
    standings = console.store.standing_of(ids)
    begin = (now // HOUR + 1 - HOURS) * HOUR
    made = console.store.made_by(ids, begin, HOUR)
    problems, due = console.problems(), _due(project, now)
    broken = {problem.file for problem in errors(problems)}
    return {
        "rules": [
            {
                **_head(rule),
                "last": iso(standings[rule.id].last),
                "next": iso(due.get(rule.id)),
                "silent": iso(standings[rule.id].silent),
                "hours": [made[rule.id][hour] for hour in range(HOURS)],
                "made": made[rule.id].total(),
                "problems": len(_problems(rule, problems)),
                "kept": rule.file in broken,
            }
            for rule in project.rules
        ],
        "most": max((most for hours in made.values() for most in hours.values()), default=0),
        "since": iso(begin),
        "broken": [
            {**problem.as_json(), "excerpt": [*map(redacted, problem.excerpt)]}
            for problem in errors(problems)
            if problem.file.startswith("rules/")
        ],
    }


def one_rule(console: Console, rule: Rule) -> dict[str, Any]:
    """Return the model of the page of one rule."""
    project, now = console.live.project, console.now()
    standing = console.store.standing_of([rule.id])[rule.id]
    problems = console.problems()
    is_kept = any(problem.file == rule.file for problem in errors(problems))
    return {
        "rule": _head(rule),
        "last": iso(standing.last),
        "next": iso(_due(project, now).get(rule.id)),
        "silent": iso(standing.silent),
        "kept": is_kept,
        "problems": [problem.as_json() for problem in _problems(rule, problems)],
        "lines": list(_lines(rule, () if is_kept else problems)),
        "tests": [test.name for test in rule.tests],
        "forms": forms(project, rule, console.store, now),
    }


def tested(project: Project, rule: Rule, lang: str) -> list[dict[str, Any]]:
    """Return how the tests of a rule end."""
    return [
        {
            "name": result.test.name,
            "line": result.test.line,
            "passed": result.passed,
            "complaints": [redacted(translated(complaint, lang)) for complaint in result.complaints],
        }
        for result in run_all(project, [rule])
    ]


def _head(rule: Rule) -> dict[str, Any]:
    """Return what a rule is: its names, its place, what it waits for, and what it says to whom."""
    return {
        "id": rule.id,
        "name": rule.name,
        "file": rule.file,
        "line": rule.line,
        "triggers": [_trigger(rule, number) for number in range(len(rule.triggers))],
        "kinds": list(dict.fromkeys(draft.kind for draft in rule.send)),
        "to": [_recipient(recipient) for recipient in (*rule.to, *rule.via)],
        "tests": len(rule.tests),
    }


def _trigger(rule: Rule, number: int) -> dict[str, Any]:
    """Return a trigger in words, and the times of a schedule also as they are written in the file."""
    kind, text = words(rule.triggers[number])
    written = rule.location.at("trigger", number, "schedule").value if kind == "schedule" else None
    if isinstance(written, dict):
        written = written.get("at") or written.get("cron") or written.get("every")
    if isinstance(written, list):
        written = "; ".join(map(str, written))
    return {"kind": kind, "text": text.each(redacted), "written": written}


def _recipient(recipient: Contact | OnCall | Outlet | Template) -> str:
    if isinstance(recipient, Template):
        return recipient.source.strip()
    return shown(recipient)


def _due(project: Project, now: float) -> dict[str, float]:
    """Return when each rule with a schedule is due next."""
    steps = sorted(ahead.scheduled(project, datetime.fromtimestamp(now, UTC)), reverse=True)
    return {step.rule: step.at for step in steps}


def _problems(rule: Rule, problems: Sequence[Problem]) -> list[Problem]:
    """Return the problems in the lines of a rule; all those of its file where that is broken."""
    first, lines = rule.location.excerpt()
    own = [problem for problem in problems if problem.file == rule.file]
    if errors(own):
        return own
    return [problem for problem in own if first <= problem.line < first + len(lines)]


def _lines(rule: Rule, problems: Sequence[Problem]) -> Iterator[dict[str, Any]]:
    """Yield the lines of a rule: each in parts, and with its problems."""
    first, lines = rule.location.excerpt()
    marked: dict[int, list[str]] = {}
    for problem in _problems(rule, problems):
        marked.setdefault(problem.line, []).append(problem.message)
    for number, line in enumerate(lines, first):
        yield {"number": number, "parts": _parts(redacted(line)), "problems": marked.get(number, [])}


def _parts(line: str) -> list[tuple[str, str]]:
    """Return a line of YAML in parts: each with its look."""
    match = _LINE.fullmatch(line)
    if match is None:
        return [("text", line)]
    return [(look, text) for look, text in match.groupdict().items() if text]
