"""Each rule of the cookbook loads and does what its tests say."""

import re
from pathlib import Path
from textwrap import indent

from wbox_notify.engine.rule_tests import run_all
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project

PAGE = (Path(__file__).parent.parent / "docs" / "cookbook.md").read_text(encoding="utf-8")
SETTINGS, *RULES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ENVIRON = {"SHOP_SECRET": "a secret that is long enough", "TELEGRAM_URL": "json://localhost"}


def cookbook(folder: Path) -> Project:
    (folder / "rules").mkdir()
    (folder / "wbox-notify.yaml").write_text(SETTINGS, encoding="utf-8")
    rules = "".join(indent(rule, "  ") for rule in RULES)
    (folder / "rules" / "cookbook.yaml").write_text(f"version: 1\nrules:\n{rules}", encoding="utf-8")
    return load(folder, ENVIRON)


def test_each_task_has_a_number_and_a_rule() -> None:
    numbers = re.findall(r"^### (\d+)\. ", PAGE, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, len(RULES) + 1)]
    assert len(RULES) >= 30


def test_all_rules_load_together_without_a_warning(tmp_path: Path) -> None:
    assert [(problem.line, problem.message) for problem in cookbook(tmp_path).problems] == []


def test_each_rule_does_what_its_tests_say(tmp_path: Path) -> None:
    project = cookbook(tmp_path)
    results = list(run_all(project, project.rules))
    assert {result.rule.id for result in results} == {rule.id for rule in project.rules}
    assert [
        (result.rule.id, result.test.name, result.complaints) for result in results if not result.passed
    ] == []
