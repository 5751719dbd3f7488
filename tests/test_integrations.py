"""The integrations: each has a page and files to copy, and its rules do what their tests say."""

import shutil
from pathlib import Path

import pytest
from pages import ROOT

from wbox_notify.engine.rule_tests import run_all
from wbox_notify.rules import load

RULES = sorted(ROOT.glob("examples/*/rules.yaml"))
NAMES = sorted({path.stem for path in ROOT.glob("docs/integrations/*.md")} - {"index"})


@pytest.mark.parametrize("name", NAMES)
def test_an_integration_has_files_that_its_page_names(name: str) -> None:
    page = (ROOT / "docs" / "integrations" / f"{name}.md").read_text(encoding="utf-8")
    files = [path for path in (ROOT / "examples" / name).rglob("*") if path.is_file()]
    assert files
    assert [path.name for path in files if f"(../../{path.relative_to(ROOT)})" not in page] == []
    assert f"\n{name}\n" in (ROOT / "docs" / "integrations" / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "rules", sorted(ROOT.glob("examples/*/rules.yaml")), ids=lambda path: path.parent.name
)
def test_its_rules_load_without_a_warning_and_do_what_their_tests_say(rules: Path, tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    shutil.copy(rules, tmp_path / "rules")
    secret = f"WBOX_SECRET_{rules.parent.name.upper().replace('-', '_')}"
    project = load(tmp_path, {secret: "a secret that is long enough"})
    assert [problem.message for problem in project.problems] == []
    results = list(run_all(project, project.rules))
    assert {result.rule.id for result in results} == {rule.id for rule in project.rules}
    assert [result.complaints for result in results if not result.passed] == []
