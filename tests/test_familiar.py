"""What people know from elsewhere: it works here, or the error says what to write."""

import functools
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rulebook import mistake
from wbox_notify.engine.rule_tests import run
from wbox_notify.rules.loading import load
from wbox_notify.rules.project import Project
from wbox_notify.templates import TemplateError, Templates, familiar
from wbox_notify.templates.filters import Locale

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

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)

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


DATA = {
    "body": {
        "a": 1,
        "n": None,
        "flag": "false",
        "tags": ["x", "y"],
        "json": '{"b": [1, {"c": "ş"}]}',
        "items": 5,
    },
    "now": NOW,
    "path": "/srv/drop/Fatura (3).tar.gz",
    "text": "Sipariş No. 42-ab, no. 7-c",
}


def value(source: str) -> Any:
    return templates.expression(source).value(DATA)


@pytest.mark.parametrize(
    ("source", "result"),
    [
        # Python
        ("len(body.tags)", 2),
        ("str(body.a) ~ '!'", "1!"),
        ("max(3, body.a, 2) - min([3, 2])", 1),
        ("sorted(body.tags, reverse=true)", ["y", "x"]),
        ("round(2.345, 1)", 2.3),
        ("sum(range(4))", 6),
        ("float('1.5') + int('2')", 3.5),
        ("list('ab') | map('upper') | list", ["A", "B"]),
        ("body.get('a') + body.get('b', 2)", 3),
        ("body.get('b')", None),
        ("body.items() | length", 6),
        ("body.keys()[0]", "a"),
        ("{'a': [1]}.values()", [[1]]),
        ("now().year", 2026),
        # Home Assistant
        ("iif(body.a > 0, 'on', 'off')", "on"),
        ("(body.n | iif('on', 'off'), body.n | iif(1, 2, 3))", ["off", 3]),
        ("body.json | from_json", {"b": [1, {"c": "ş"}]}),
        ("('{' | from_json('-'), 'null' | from_json(1))", ["-", None]),
        ("['ş'] | to_json", '["ş"]'),
        ("body.flag | bool", False),
        ("bool('On') and ('maybe' | bool(true))", True),
        ("['7', '1e3', '-1.5', '', 'x', true, none, 2] | select('is_number')", ["7", "1e3", "-1.5", 2]),
        ("is_number('7') and not 'NaN' | is_number", True),
        ("is_number(10 ** 400)", False),
        ("text | slugify", "siparis_no_42_ab_no_7_c"),
        ("'IŞIK Straße Þór Привет!' | slugify('-')", "isik-strasse-thor-привет"),
        ("text | regex_findall('no', ignorecase=true)", ["No", "no"]),
        ("text | regex_findall('([0-9]+)-([a-z]+)')", [["42", "ab"], ["7", "c"]]),
        ("text | regex_findall_index('[0-9]+', 1)", "7"),
        ("text | regex_replace(find='[0-9]', replace='#')", "Sipariş No. ##-ab, no. #-c"),
        ("text | regex_replace('NO', '', ignorecase=true)", "Sipariş . 42-ab, . 7-c"),
        (
            "(text | regex_match('Sip'), text | regex_match('No'), text is match('sip', ignorecase=true))",
            [True, False, True],
        ),
        ("body.tags is contains('x')", True),
        ("now() + timedelta(days=1, hours=2) == as_datetime('2026-11-24T08:00Z')", True),
        ("(now - timedelta(7)) | as_timestamp", 1794808800),
        ("as_timestamp('2026-11-23 06:00') + 0.5", 1795413600.5),
        ("('x' | as_timestamp(0), body.x | as_timestamp(default=1), as_datetime('x', 'y'))", [0, 1, "y"]),
        ("1795413600 | timestamp_custom('%d.%m.%Y %H:%M')", "23.11.2026 06:00"),
        ("as_timestamp(now()) | timestamp_custom", "2026-11-23 06:00:00"),
        # Ansible
        ("'%H:%M' | strftime(1795413600)", "06:00"),
        ("('%d' | strftime, now | strftime('%m'))", ["23", "11"]),
        ("body.a | ternary('yes', 'no')", "yes"),
        ("text | regex_search('([0-9]+)-([a-z]+)', '\\\\2', '\\\\1')", ["ab", "42"]),
        ("text | regex_search('([0-9]{3})', '\\\\1')", []),
        ("text | regex_search('SIPARIŞ', ignorecase=true)", "Sipariş"),
        ("'a.b' is match('a.b' | regex_escape) and not 'axb' is match('a.b' | regex_escape)", True),
        ("'a,b,c' | split(',')", ["a", "b", "c"]),
        ("'a  b c' | split(maxsplit=1)", ["a", "b c"]),
        ("{'a': 1, 'b': {'c': 1}} | combine({'b': {'d': 2}}, {'e': 3})", {"a": 1, "b": {"d": 2}, "e": 3}),
        ("{'b': {'c': 1}} | combine({'b': {'d': 2}}, recursive=true)", {"b": {"c": 1, "d": 2}}),
        ("{'a': 1} | dict2items", [{"key": "a", "value": 1}]),
        ("{'a': 1} | dict2items(key_name='k')", [{"k": "a", "value": 1}]),
        ("[{'key': 'a', 'value': 1}] | items2dict", {"a": 1}),
        (
            "(path | basename, path | dirname, path | splitext | last)",
            ["Fatura (3).tar.gz", "/srv/drop", ".gz"],
        ),
        ("'ş' | hash", "36e7fba73c1161ecee70557ecd3f88312abf38bf"),
        ("7 | hash('md5')", "8f14e45fceea167a5a36dedd4bea2543"),
        ("'şü' | b64encode", "xZ/DvA=="),
        ("['xZ/DvA==', 'xZ_DvA', 'xZ/D\\nvA=='] | map('b64decode') | unique | list", ["şü"]),
        ("[1, [2, [3]]] | flatten", [1, 2, 3]),
        ("[1, [2, [3]]] | flatten(levels=1)", [1, 2, [3]]),
        ("[1, 2, 2] | union([3, {'a': 1}, {'a': 1}])", [1, 2, 3, {"a": 1}]),
        ("([1, 2, 1] | intersect([1, 3]), [1, 2, 2] | difference([1]))", [[1], [2]]),
        ("body.x | float(0) + (body.y.z | int(default=2))", 2.0),
    ],
)
def test_it_works_as_known(source: str, result: Any) -> None:
    assert value(source) == result


@pytest.mark.parametrize(
    ("source", "problem", "hint"),
    [
        ("body | from_json", "this is a map already", "leave out from_json"),
        (
            "'{' | from_json",
            "'{' is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
            None,
        ),
        ("'NaN' | from_json", "'NaN' is not JSON: NaN is no number", None),
        ("'%%' | b64decode", "'%%' is not the base64 of a text", None),
        ("'/w==' | b64decode", "'/w==' is not the base64 of a text", None),
        ("'x' | hash('crc')", "there is no hash 'crc'", "there are: md5, sha1, sha256, sha384, sha512"),
        ("'x' | combine({})", "combine needs a map, not a text", None),
        ("round('x')", "round needs a number, not 'x'", "a text becomes a number with | number"),
        ("body | split", "this needs a text, not a map", "make it one with | string"),
        ("'maybe' | bool", "'maybe' says neither yes nor no", None),
        ("text | regex_findall_index('[0-9]+', 2)", "there is no match 2 of '[0-9]+': there are 2", None),
        ("body.x | from_json", "no field 'x' in body", "its fields are: a, n, flag, tags, json, items"),
        ("body.x | float", "no field 'x' in body", "its fields are: a, n, flag, tags, json, items"),
    ],
)
def test_what_cannot_be_done_says_why(source: str, problem: str, hint: str | None) -> None:
    with pytest.raises(TemplateError) as caught:
        value(source)
    assert (caught.value.problem, caught.value.hint) == (problem, hint)


def test_a_macro_comes_before_a_filter_of_the_same_name() -> None:
    source = "{% macro title(x) %}<{{ x }}>{% endmacro %}{% set len = title %}{{ title('a') }}{{ len('b') }}"
    assert templates.text(source).render({}) == "<a><b>"


def test_a_field_of_the_data_is_no_function() -> None:
    """What stands before the () can only be a filter, even where data has the same name."""
    assert templates.text("{{ title }} {{ title('a') }}").render({"title": "x"}) == "x A"
    assert templates.expression("len(title) + length").names == {"title": set(), "length": set()}


@pytest.mark.parametrize(
    "source",
    [
        "[0] * 400000 | list | to_json | from_json",
        "('[' * 400000) | from_json",
        "('[],' * 400000) | from_json",
        "('x' * 400000) | regex_findall('')",
        "('x ' * 400000) | split",
        "(',' * 400000).split(',')",
        "('x' * 4000) | regex_search('(x+)', '\\\\1' * 4000)",
        "('\ufdfa' * 900000) | slugify",
        "(('a ' * 9000) | slugify('-' * 9000))",
        "[range(9000)] * 9000 | flatten",
    ],
)
def test_nothing_huge_is_made(source: str) -> None:
    big = list(range(100_000))
    template = templates.text(f"{{{{ {source} }}}}")
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError):
            template.render({"big": big})
        assert tracemalloc.get_traced_memory()[1] < 64_000_000
    finally:
        tracemalloc.stop()


FILTERS = []
for name in familiar.filters(Locale().moments):
    for written in (f"{{{{ x | {name} }}}}", f"{{{{ x | {name}(y) }}}}"):
        with suppress(TemplateError):  # it takes another number of arguments
            FILTERS.append(templates.text(written))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda of: st.lists(of, max_size=4) | st.dictionaries(st.text(), of, max_size=4),
    max_leaves=10,
)


@given(ANYTHING, ANYTHING)
def test_every_filter_gives_an_answer_or_an_error_of_ours(x: Any, y: Any) -> None:
    for template in FILTERS:
        try:
            template.render({"x": x, "y": y})
        except TemplateError as error:
            assert error.problem  # noqa: PT017 - an answer or a TemplateError, nothing else


def refused(make: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(TemplateError) as caught:
        make()
    return caught.value.problem, caught.value.hint


FIT = "these arguments do not fit"


@pytest.mark.parametrize(
    ("source", "problem", "hint"),
    [
        ("x | upper(1)", FIT, "it is written … | upper"),
        ("x | replace('a')", FIT, "it is written … | replace(old, new, count=…)"),
        (
            "x | truncate(size=9)",
            FIT,
            'it is written … | truncate(length=255, killwords=false, end="...", leeway=…)',
        ),
        (
            "x | regex_replace(pattern='a')",
            FIT,
            'it is written … | regex_replace(find, replace="", ignorecase=false)',
        ),
        ("x | split(',', 1, 2)", FIT, "it is written … | split(separator=…, maxsplit=-1)"),
        ("split(x, ',', 1, 2)", FIT, "it is written … | split(separator=…, maxsplit=-1)"),
        ("x is search", FIT, "it is written … is search(find, ignorecase=false)"),
        ("x is none(1)", FIT, "it is written … is none"),
        ("x | map('replace', 'a') | list", FIT, "it is written … | replace(old, new, count=…)"),
        ("x | selectattr('a', 'search')", FIT, "it is written … is search(find, ignorecase=false)"),
        ("x.get()", FIT, "it is written x.get(name, default=…)"),
        ("x.items(1)", FIT, "it is written x.items"),
        ("x.split(1, 2, 3)", FIT, "it is written x.split(sep=…, maxsplit=-1)"),
        ("x | map('uper')", "there is no filter 'uper'", "did you mean 'upper'?"),
        ("x | select('defind')", "there is no test 'defind'", "did you mean 'defined'?"),
        ("x | rejectattr('a', 'equal', 1)", "there is no test 'equal'", "did you mean 'equalto'?"),
        (
            "x | regex_search('(')",
            "this is not a pattern: missing ): (",
            "look-around and \\1 inside a pattern are not supported here",
        ),
        (
            "x is match('[')",
            "this is not a pattern: missing ]: [",
            "look-around and \\1 inside a pattern are not supported here",
        ),
        ("x.y.trim()", "'trim' cannot be called", "write x | trim"),
        ("x.toUpperCase()", "'toUpperCase' cannot be called", "write x | upper"),
        ("utcnow() or y", "'utcnow' cannot be called", "write now"),
        ("x | md5", "there is no filter 'md5'", "write x | hash('md5')"),
        ("x + timedelta(day=1)", "timedelta has no 'day'", "did you mean 'days'?"),
        ("x.endsWith('a')", "'endsWith' cannot be called", "did you mean `endswith`?"),
        ("(x | upper).foo()", "'foo' cannot be called", "leave out the ()"),
        ("x(1) and y", "'x' cannot be called", "leave out the ()"),
        ("now(1) or y", "'now' cannot be called", "leave out the ()"),
        ("lenght(x) > 3", "'lenght' cannot be called", "did you mean `length`?"),
    ],
)
def test_a_call_that_cannot_work_is_found_when_it_is_read(source: str, problem: str, hint: str) -> None:
    assert refused(lambda: templates.expression(source)) == (problem, hint)
    assert refused(lambda: templates.text(f"{{% for x in y %}}{{{{ {source} }}}}{{% endfor %}}")) == (
        problem,
        hint,
    )


@pytest.mark.parametrize(
    "source",
    [
        "x | replace(*y)",
        "x | map('foo' ~ y)",
        "x | regex_search(y)",
        "now() > x and now().date() > y",
        "x.foo",
        "x.replace('a', 'b') and x.replace(hour=1) and x.count('a')",
        "x.find('a') and x.format(1, a=2) and x.join(y) and x.strftime('%d') and x.total_seconds()",
        "x | map(attribute='a', default=1) and x | map('default', 1)",
        "x | groupby('a', default=1) and x | sort(attribute='a', reverse=true)",
        "x | slice(3) and x | slice(3, 0) and x | sum('a') and x | list and x | join(', ', 'a')",
        "x | batch(3, fill_with=0) and x | round(1, 'ceil') and x | int(0, 16) and x | tojson(2) and x | d",
        "range(1, 2) and dict(a=1) and namespace(a=1).a",
    ],
)
def test_a_call_that_may_work_is_let_through(source: str) -> None:
    assert templates.expression(source)
    assert templates.text(f"{{{{ {source} }}}}")


def test_macros_are_called_wherever_they_come_from(tmp_path: Path) -> None:
    parts = {
        "m.j2": "{% macro line(a) %}<{{ a }}>{% endmacro %}",
        "part.j2": "{{ m.line(1) }}{{ own(2) }}",
        "page.j2": "{% import 'm.j2' as m %}{% from 'm.j2' import line as own %}{% include 'part.j2' %}"
        "{% macro twice(f) %}{{ f(3) }}{{ caller() }}{% endmacro %}{% call twice(own) %}!{% endcall %}"
        "{% set ns = namespace(f=own) %}{{ ns.f(4) }}{% for f in [own] %}{{ f(5) }}{% endfor %}",
    }
    for name, text in parts.items():
        tmp_path.joinpath(name).write_text(text)
    assert Templates(tmp_path).file("page.j2").render({}) == "<1><2><3>!<4><5>"


def test_a_wrong_call_in_a_file_is_found_where_it_stands(tmp_path: Path) -> None:
    tmp_path.joinpath("part.j2").write_text("\n{{ body.text.trim() }}")
    tmp_path.joinpath("page.j2").write_text("{% include 'part.j2' %}")
    with pytest.raises(TemplateError) as caught:
        Templates(tmp_path).file("page.j2")
    assert (caught.value.name, caught.value.line, caught.value.hint) == ("part.j2", 2, "write x | trim")


def test_check_shows_a_wrong_call_at_its_line(tmp_path: Path) -> None:
    problem = mistake(tmp_path, "send:\n  text: |\n    Hello\n    {{ file.name | replace('_') }}")
    assert (problem.code, problem.line) == ("WBX306", 8)
    assert problem.message == FIT


def test_a_loop_can_be_left_and_go_on() -> None:
    ends = "{% if i == 1 %}{% continue %}{% elif i > 3 %}{% break %}{% endif %}"
    assert templates.text(f"{{% for i in range(9) %}}{ends}{{{{ i }}}}{{% endfor %}}").render({}) == "023"


def test_check_knows_what_a_time_has(tmp_path: Path) -> None:
    problem = mistake(tmp_path, "if: now.hours > 8")
    assert (problem.message, problem.hint) == ("`now` has no `hours`", "did you mean `hour`?")
