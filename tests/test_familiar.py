"""What people know from elsewhere: it works here, or the error says what to write."""

import functools
import tempfile
from pathlib import Path

import pytest

from tests.rulebook import mistake
from wbox_notify.engine.rule_tests import run
from wbox_notify.rules import Project, load
from wbox_notify.templates import TemplateError, Templates

RULES = """
version: 1
rules:
  - id: headers
    trigger: {webhook: {path: a, open: true, id: "headers['X-Order-Id']"}}
    if: headers['X-GitHub-Event'] == 'push' and 'X-Request-ID' in headers
    to: "+90 555 000 00 01"
    send:
      text: "{{ headers['x-github-event'] }} {{ headers.get('X-Order-ID') }} {{ headers['X-No'] | d('-') }}"
    tests:
      - name: the name of a header may be written in any case
        when:
          webhook: {body: 1, headers: {x-Github-event: push, x-request-id: a, X-ORDER-ID: "7"}}
        expect: [{text: "push 7 -"}]
      - name: the id of two deliveries is found in the header
        when:
          - webhook: {body: 1, headers: {X-GitHub-Event: push, X-Request-Id: a, x-order-id: "7"}}
          - webhook: {body: 2, headers: {X-GitHub-Event: push, X-Request-Id: b, x-order-id: "7"}}
        expect: [{text: "push 7 -"}]
"""

templates = Templates()


@functools.cache
def the_project() -> Project:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules").mkdir()
        Path(folder, "rules", "all.yaml").write_text(RULES, encoding="utf-8")
        return load(Path(folder), {})


@pytest.mark.parametrize(
    ("rule", "test"),
    [pytest.param(rule, test, id=test.name) for rule in the_project().rules for test in rule.tests],
)
def test_a_rule_does(rule: object, test: object) -> None:
    assert the_project().problems == ()
    assert run(the_project(), rule, test).complaints == ()  # type: ignore[arg-type]


def test_a_header_that_may_be_secret_is_refused_in_any_case(tmp_path: Path) -> None:
    problem = mistake(tmp_path, "trigger: {webhook: {path: a, open: true}}\nif: headers['X-Api-Key'] == 'a'")
    assert problem.message == "the header `X-Api-Key` is not kept"


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("{{ .Labels.severity }}", "write alert.labels.severity"),
        ("a\n{{ .StartsAt }}", "write alert.startsAt"),
        ("{{ $labels.instance }}", "write alert.labels.instance"),
        ("{% if .Status == 'x' %}", "write alert.status"),
        ("{{ $value }}", "write what it is a field of before it, such as body.value"),
        ("{{ not .x }}", "write what it is a field of before it, such as body.x"),
        ("{{ if .x }}", "write {% if … %}"),
        ("{{ else }}", "write {% else %}"),
        ("{{ range .Alerts }}", "write {% for x in … %} … {% endfor %}"),
        (
            "{{ range .Alerts }}{{ .x }}{{ end }}",
            "write {% if … %} … {% endif %}, or {% for x in … %} … {% endfor %}",
        ),
        ("{{#each x}}", "write {% if … %} … {% endif %}, or {% for x in … %} … {% endfor %}"),
    ],
)
def test_templates_of_other_programs_are_recognised(source: str, hint: str) -> None:
    with pytest.raises(TemplateError) as caught:
        templates.text(source)
    assert caught.value.hint == hint


@pytest.mark.parametrize("source", ["{{ 'a'.upper() b }}", "{{ range(3) b }}", "{{ 'a .b $c' d }}"])
def test_what_is_only_near_to_them_is_not(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        templates.text(source)
    assert caught.value.hint is None
