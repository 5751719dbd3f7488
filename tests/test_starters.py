"""What ships is what is tested: the starter rules, and every block of YAML in the documentation."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pages import PAGES, blocks, page, projects

from wbox_notify.engine.replay import ReplayStore
from wbox_notify.engine.rule_tests import run, run_all
from wbox_notify.model.deliveries import PlannedMessage
from wbox_notify.model.events import Event
from wbox_notify.model.messages import KINDS
from wbox_notify.rules.loading import load
from wbox_notify.rules.rule import Given, RuleTest
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Want, Watch
from wbox_notify.triggers.webhook.hooks import KNOWN_HEADERS

ROOT = Path(__file__).parent.parent
MORNING = datetime(2026, 11, 23, 7, tzinfo=UTC)
STARTERS = load(ROOT, {"WBOX_API_KEY": "sk_x"})
DOCUMENTED = [(name, *project) for name in PAGES if name != "docs/cookbook" for project in projects(name)]
SECRETS = ("GITHUB_SECRET", "OPS_MAIL", "BUCKET_KEY")


def events_of_the_examples() -> list[Event]:
    """Return what the file source makes of ``examples/drop``, as if it stood in the watched folder."""
    found: list[Event] = []
    examples = ROOT / "examples" / "drop"
    want = Want(reads=frozenset({"text", "sha256"}))
    watch = Watch(root=examples, accepts=lambda _path: True, want=lambda _path: want)
    source = FileSource(
        [watch],
        known=lambda _versions: {},
        emit=lambda events, _: found.extend(events),
        report=lambda _line: None,
    )
    source.sweep()
    return [
        Event(
            id=event.id,
            type="file",
            at=event.at,
            data={**event.data, "path": str(ROOT / "drop" / event.data["name"])},
        )
        for event in found
    ]


def whole(event: Event, now: datetime) -> list[PlannedMessage]:
    """Return all messages of an event, with those of the rows of its file."""
    world = ReplayStore(STARTERS, now, contents={event.data["path"]: event.data["text"].encode()})
    world.happen(event)
    world.wait(now)
    return [planned for _, planned in world.messages]


def test_the_repository_is_a_valid_project() -> None:
    assert [problem.message for problem in STARTERS.problems if problem.severity == "error"] == []
    assert STARTERS.rules


def test_every_starter_rule_has_tests_and_they_pass() -> None:
    trials = list(run_all(STARTERS, STARTERS.rules))
    assert [(trial.rule.id, trial.complaints) for trial in trials if not trial.passed] == []
    assert {trial.rule.id for trial in trials} == {rule.id for rule in STARTERS.rules}


def test_every_dropped_example_sets_off_a_rule_and_all_four_kinds_are_sent() -> None:
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    plans = [whole(event, now) for event in events_of_the_examples()]
    assert all(plans)
    messages = [planned for made in plans for planned in made]
    assert [planned.problem for planned in messages if planned.problem] == []
    assert {planned.message.kind for planned in messages if planned.message} == set(KINDS)


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "tables").iterdir()), ids=lambda path: path.stem)
def test_every_table_of_the_examples_is_followed_by_a_rule_without_a_failure(path: Path) -> None:
    reading = [rule for rule in STARTERS.rules if rule.reads]
    tables = {rule.table.path.name: rule for rule in reading if rule.table}
    rule = tables.get(path.name) or next(
        rule for rule in reading if rule.trigger_of(str(ROOT / "drop" / path.name))
    )
    given = [Given(kind="file", data={"name": path.name, "text": path.read_text("utf-8")}, at=MORNING)]
    if rule.table:
        given.append(Given(kind="schedule"))
    complaints = run(STARTERS, rule, RuleTest(name="t", when=tuple(given), until=30 * 86400.0)).complaints
    assert complaints, "something is sent"
    assert all("is not expected" in complaint for complaint in complaints)


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "hooks").iterdir()), ids=lambda path: path.stem)
def test_every_payload_of_the_examples_is_understood_by_the_hook_of_its_name(path: Path) -> None:
    now = datetime(2026, 11, 23, 9, tzinfo=UTC)
    body = json.loads(path.read_text(encoding="utf-8"))
    data = {"path": path.stem, "method": "POST", "headers": {}, "query": {}, "body": body}
    world = ReplayStore(STARTERS, now)
    world.happen(Event(id="e", type="webhook", at=now, data=data))
    world.wait_for(86400)
    assert [planned.problem for _, planned in world.messages if planned.problem] == []
    assert world.messages


def test_every_template_is_named_by_a_rule_or_another_template() -> None:
    texts = [path.read_text() for folder in ("rules", "templates") for path in (ROOT / folder).iterdir()]
    for template in (ROOT / "templates").iterdir():
        assert any(template.name in text for text in texts), template.name


def test_the_page_about_webhooks_lists_the_headers_that_are_kept() -> None:
    (listed,) = blocks("text", "docs/webhooks")
    assert set(listed.split()) == KNOWN_HEADERS


@pytest.mark.parametrize(("name", "settings", "rules"), DOCUMENTED)
def test_every_yaml_block_of_the_documentation_loads_and_passes_its_tests(
    name: str, settings: str, rules: str, tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    settings = settings.replace("/etc/wbox-notify/", "secrets/")
    (tmp_path / "wbox-notify.yaml").write_text(settings)
    for secret in re.findall(r"secrets/[\w-]+", settings):
        (tmp_path / "secrets").mkdir(exist_ok=True)
        (tmp_path / secret).write_text("sk_x")
        (tmp_path / secret).chmod(0o600)
    if rules:
        (tmp_path / "rules" / "block.yaml").write_text(rules, encoding="utf-8")
    named = [f"WBOX_SECRET_{name.upper()}" for name in re.findall(r"secret: (\w+)", rules)]
    project = load(tmp_path, dict.fromkeys([*SECRETS, *named], "json://a-secret-that-is-long-enough"))
    assert [problem.message for problem in project.problems if problem.severity == "error"] == [], name
    assert bool(project.rules) == bool(rules)
    assert [trial.complaints for trial in run_all(project, project.rules) if not trial.passed] == []


def test_the_page_of_the_commands_names_every_command_and_every_exit_code() -> None:
    from wbox_notify.cli import COMMANDS  # noqa: PLC0415 - only this test wants the commands

    for command in COMMANDS:
        assert f"| `{command}" in page("docs/commands")
    for code in (0, 1, 2, 3, 69, 74, 75, 77, 78, 130):
        assert f"| {code} |" in page("docs/commands")
