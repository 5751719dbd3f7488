"""Expressions and templates: what they give, what they refuse, and what they cannot use up."""

import json
import os
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError
from rulebook import english_parts

from wbox_notify.model.redaction import learn
from wbox_notify.templates import TemplateError, Templates
from wbox_notify.templates.bounded import WITHOUT
from wbox_notify.templates.filters import Locale
from wbox_notify.templates.loader import Folder
from wbox_notify.templates.names import check, names
from wbox_notify.templates.sandbox import Sandbox
from wbox_notify.templates.tree import Tree

ISTANBUL = timezone(timedelta(hours=3))
NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
DATA: dict[str, Any] = {
    "body": {
        "alerts": [{"labels": {"severity": "warning"}}, {"labels": {"severity": "critical"}}],
        "empty": {},
        "flag": "false",
        "get": "a field",
        "items": [1, 2],
        "note": None,
        "price": "1500",
        "ref": "refs/heads/main",
    },
    "file": {"name": "a_b.pdf", "size": 48210},
    "now": NOW,
    "row": {"customer": "Ali", "order_no": 7},
}
BIG = "x" * 1_000_000

templates = Templates()


def render(source: str, **data: Any) -> str:
    return templates.text(source).render(data or DATA)


def value(source: str) -> Any:
    return templates.expression(source).value(DATA)


def refusal(source: str, *, expression: bool = False, **data: Any) -> TemplateError:
    def run() -> Any:
        return templates.expression(source).value(data or DATA) if expression else render(source, **data)

    with pytest.raises(TemplateError) as caught:
        run()
    assert english_parts(caught.value.problem) + english_parts(caught.value.hint or "") == []
    return caught.value


def files(folder: Path, **texts: str) -> Templates:
    for name, text in texts.items():
        folder.joinpath(f"{name}.j2").write_text(text, encoding="utf-8")
    return Templates(folder)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("{{ row.customer }}", "Ali"),
        ("{{ body.items | length }} items", "2 items"),
        ("{{ body.note }}", ""),
        ("[{{ 'no ' ~ body.note }}]", "[no ]"),
        ("{{ body['ref'] }}", "refs/heads/main"),
        ("{{ body.items }}", "[1, 2]"),
        ("{{ ['ş', none, true] }}", '["ş", null, true]'),
        ("{{ row | tojson }}", '{"customer": "Ali", "order_no": 7}'),
        ("{{ now }}", "2026-11-23T06:00"),
        ("{{ range(3) | join(', ') }}", "0, 1, 2"),
        ("{{ '%.2f' | format(3.14159) }} {{ '%s-%03d' % ('a', 7) }}", "3.14 a-007"),
        ("{{ '{:.1f} {x}'.format(2.25, x=row.customer) }}", "2.2 Ali"),
        ("{{ body.alerts | map(attribute='labels.severity') | join('/') }}", "warning/critical"),
        ("{{ body.missing | default('?') }}{{ missing | d('!') }}", "?!"),
        ("{{ body.a.b['c'][0].d | default('?') }}{{ a.b | d('!') }}{{ body.note.a.b | d('-') }}", "?!-"),
        ("{{ body.a.b is defined }} {{ a.b.c is undefined }} {{ body.ref is defined }}", "False True True"),
        ("{{ body.alerts | map(attribute='labels.team.name', default='?') | join }}", "??"),
        (
            "{{ row.get('customer') }}{{ row.get('x') }}{{ row.get('x', '-') }}{{ body.get('ref') }}",
            "Ali-refs/heads/main",
        ),
        ("{% for k, v in row.items() %}{{ k }}={{ v }};{% endfor %}", "customer=Ali;order_no=7;"),
        (
            "{{ row.keys() }} {{ row.values() | last }} {{ 'x' in body.keys() }}",
            '["customer", "order_no"] 7 False',
        ),
        ("{{ now() }} {{ now().year }} {{ now().strftime('%d') }}", "2026-11-23T06:00 2026 23"),
        ("{% for k, v in row | items %}{{ k }}={{ v }};{% endfor %}", "customer=Ali;order_no=7;"),
        ("{% for i in [1, 2] %}{{ loop.index }}/{{ loop.length }} {% endfor %}", "1/2 2/2 "),
        (
            "{% set n = namespace(i=5) %}{% for i in [1] %}{% set n.i = n.i + i %}{% endfor %}{{ n.i }}",
            "6",
        ),
        ("{% macro m(a, b='-') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(2, b='+') }}", "1-2+"),
        ("{{ body.items | reverse | join }}", "21"),
        ("{{ [3, 1, 2] | sort | first }}{{ body.items | sum }}", "13"),
        ("{{ 'a,b'.split(',') | last }}{{ 'x'.center(3) }}|{{ 'a-b'.replace('-', '+') }}", "b x |a+b"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{{ now.strftime('%Y-%m') }} {{ (now - now).total_seconds() }}", "2026-11 0.0"),
        ("{% filter upper %}a{{ row.customer }}{% endfilter %}", "AALI"),
        ("{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(x) m() %}<{{ x }}>{% endcall %}", "<1>"),
    ],
)
def test_renders(source: str, shown: str) -> None:
    assert render(source) == shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("a\n{% if true %}\nb\n{% endif %}\nc", "a\nb\nc"),
        ("a\n  {% if true %}  \nb\n  {% endif %}\nc", "a\nb\nc"),
        ("a {% if true %}b{% endif %}\nc", "a b\nc"),
        ("{% if true %}b{% endif %}\nc", "b\nc"),
        ("a\n  {% if true %}b{% endif %}\nc", "a\n  b\nc"),
        ("a\n{# a note #}\nb {# another #}\nc", "a\nb \nc"),
        ("{% for i in [1, 2] %}{{ i }}\n{% endfor %}", "1\n2\n"),
        ("{% for i in [1, 2] -%}\n  {{ i }}\n{%- endfor %}", "12"),
        ("a\n{% set x = [\n 1,\n] %}\nb", "a\nb"),
        ("{% if true %}{% if true %}\nx\n{% endif %}{% endif %}", "\nx\n"),
        ("a\n", "a"),
        ("{{ '{% x %}' }}\n", "{% x %}"),
        ("{% raw %}{% x %} y\n{% endraw %}", "{% x %} y\n"),
    ],
)
def test_only_a_tag_alone_on_its_line_takes_the_line_away(source: str, shown: str) -> None:
    assert render(source) == shown


@pytest.mark.parametrize("end", ["-%}", "%}"])
def test_a_list_of_commits_reads_as_typed_with_and_without_trimming_signs(end: str) -> None:
    source = (
        "🔨 *{{ body.repo }}*: {{ body.commits | length }} commit(s)\n"
        f"{{% for c in body.commits[:5] {end}\n"
        "• {{ c.message | firstline }}\n"
        f"{{% endfor {end}\n"
        "{{ body.compare }}\n"
    )
    body = {
        "repo": "acme/shop",
        "commits": [{"message": "Fix\n\nlong"}, {"message": "Add"}],
        "compare": "https://x",
    }
    assert render(source, body=body) == "🔨 *acme/shop*: 2 commit(s)\n• Fix\n• Add\nhttps://x"


def test_alerts_render_through_inheritance_and_macros(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        alertmanager=(
            '{% extends "base.j2" %}\n{% import "macros.j2" as m %}\n{% block head -%}\n'
            '{% if group.firing %}🔥 *{{ group.key | join(" / ") }}*: {{ group.firing | length }} firing'
            '{% else %}✅ *{{ group.key | join(" / ") }}*: all {{ group.resolved | length }} resolved'
            "{% endif %}\n"
            "{%- endblock %}\n{% block body -%}\n{% for a in group.firing[:10] %}{{ m.line(a) }}\n"
            "{% endfor %}{% if group.firing | length > 10 %}… and {{ group.firing | length - 10 }} more\n"
            "{% endif %}\n{%- endblock %}\n"
        ),
        base=(
            "{% block head %}{% endblock %}\n{% block body %}{% endblock %}\n"
            "{%- block foot %}{% endblock %}\n"
        ),
        macros=(
            '{% macro line(a) -%}\n• {{ a.labels.instance | default("?") }}'
            "{% if a.annotations is defined and a.annotations.summary is defined %}"
            ": {{ a.annotations.summary }}{% endif %}\n{%- endmacro %}\n"
        ),
    )
    template = folder.file("alertmanager.j2")
    firing = [{"labels": {"instance": "db1"}, "annotations": {"summary": "91 %"}}, {"labels": {}}]
    group = {"key": ["DiskFull", "eu"], "firing": firing, "resolved": [1]}
    assert template.render({"group": group}) == "🔥 *DiskFull / eu*: 2 firing\n• db1: 91 %\n• ?\n"
    assert template.render({"group": {**group, "firing": []}}).strip() == "✅ *DiskFull / eu*: all 1 resolved"
    assert template.names == {"group": {"key", "firing", "resolved"}}


@given(st.text())
def test_any_text_as_data_appears_unchanged(text: str) -> None:
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc")
    assert render("{{ x.y }}", x={"y": text}) == unicodedata.normalize("NFC", kept)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda of: st.lists(of) | st.dictionaries(st.text(), of),
    )
)
def test_any_json_as_data_can_be_shown_and_returned(data: Any) -> None:
    assert render("{{ x }}", x=data) is not None
    assert templates.expression("x").value({"x": data}) == data
    json.dumps(templates.expression("x").seen({"x": data}))


def test_data_is_never_a_template() -> None:
    assert render("{{ x }} {{ y }}", x="{{ 7 * 7 }}", y="{% for %}") == "{{ 7 * 7 }} {% for %}"


def test_control_characters_are_removed_and_the_rest_composed() -> None:
    assert render("{{ x }}", x="a\x1b[31m\r\n\tb\x00\x85 e\u0301") == "a[31m\n\tb é"


def test_a_message_is_not_escaped() -> None:
    assert render("{{ x }}", x="<b> & 'c'") == "<b> & 'c'"


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "update", "__class__"])
def test_a_field_comes_before_the_method_of_the_same_name(name: str) -> None:
    assert templates.expression(f"x.{name}").value({"x": {name: 5}}) == 5
    assert refusal(f"x.{name}", expression=True, x={}).problem == f"no field '{name}' in x"


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("file.size > 0 and file.name.endswith('.pdf')", True),
        ("{{ file.size }}", 48210),
        ("  {{- file.size -}}  ", 48210),
        ("row.order_no in [6, 7]", True),
        ("{'a': {'b': 1}}", {"a": {"b": 1}}),
        ("[row.order_no, row.customer]", [7, "Ali"]),
        ("(1, 2)", [1, 2]),
        ("range(2)", [0, 1]),
        ("body.alerts | selectattr('labels.severity', 'eq', 'none')", []),
        ("body.price | int > 1000", True),
        ("'yes' if body.missing is defined else 'no'", "no"),
        ("body.missing is undefined", True),
        ("body.note is none", True),
        ("now", NOW),
        ("false and body.missing", False),
        ("body.items[-1] ** 3 % 5 + 2 * 2 // 1", 7),
        ("file.size\n  > 0", True),
        ("body.ref[:4]", "refs"),
        ("'x' == '}}'", False),
    ],
)
def test_value_of_an_expression(source: str, result: Any) -> None:
    assert value(source) == result


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("body.items", True),
        ("body.empty", False),
        ("body.note", False),
        ("''", False),
        ("0", False),
        ("'x'", True),
    ],
)
def test_truth_is_pythons(source: str, answer: bool) -> None:  # noqa: FBT001 - a table
    assert templates.expression(source).truth(DATA) is answer


@pytest.mark.parametrize("text", ["false", "no", "off", "0", " False ", "NO\n"])
def test_a_text_that_says_no_is_refused_as_an_answer(text: str) -> None:
    with pytest.raises(TemplateError, match=f"the text '{text.strip()}', and every text counts as yes"):
        templates.expression("x").truth({"x": text})


def test_a_filter_that_found_nothing_is_no() -> None:
    """Jinja's lazy result would count as yes even when it is empty."""
    source = "body.alerts | selectattr('labels.severity', 'eq', 'none')"
    assert not templates.expression(source).truth(DATA)
    assert not templates.expression(f"({source}) and true").truth(DATA)


@pytest.mark.parametrize(
    "source",
    [
        "body.x",
        "true and body.x",
        "[body.x]",
        "{'a': [body.x]}",
        "body.x is none",
        "body.x is not string",
        "body.x | list",
        "body.x | items",
        "body.x == 1",
        "not body.x",
        "'a' ~ body.x",
        "'%s' % body.x",
        "body.items | map('default', body.x) and body.x",
        "body.x if true",
        "body.alerts | map(attribute='x')",
    ],
)
def test_what_is_missing_is_an_error_wherever_it_is_used(source: str) -> None:
    assert "no field 'x'" in refusal(source, expression=True).problem


@pytest.mark.parametrize(
    ("source", "problem", "hint"),
    [
        ("row.custmer", "no field 'custmer' in row", "did you mean 'customer'?"),
        (
            "body.alerts[1].labels.severty",
            "no field 'severty' in body.alerts[1].labels",
            "did you mean 'severity'?",
        ),
        ("row.zzz", "no field 'zzz' in row", "its fields are: customer, order_no"),
        ("body.empty.a", "no field 'a' in body.empty", "it is empty"),
        ("{'a': 1}.b", "no field 'b' in this map", "its fields are: a"),
        ("fil.size", "there is no 'fil' here", "did you mean 'file'?"),
        ("zzz", "there is no 'zzz' here", "there are: body, file, now, row"),
        ("body.items[5]", "no item 5 in body.items, which has 2", None),
        ("body.note.x", "no field 'x' in none", None),
        ("body.price.x", "no field 'x' in a text", None),
        ("file.size[0]", "no field '0' in a number", None),
        ("row.items", "no field 'items' in row", "write () after it"),
        ("body.items.items()", "no field 'items' in a list", None),
        ("row.a.get('x').b", "no field 'a' in row", "its fields are: customer, order_no"),
        ("body.ref()", "'ref' cannot be called", "leave out the ()"),
        ("body['ref']()", "a text cannot be called", "leave out the ()"),
        ("now('UTC')", "a time cannot be called", "leave out the ()"),
        ("body.items.length", "no field 'length' in a list", "write x | length"),
        ("file.name.upper", "the result is something to call, not a value", "write () after it"),
        ("namespace(a=1)", "the result is a Namespace, not a value", None),
        ("[] | first", "No first item, sequence was empty.", None),
        (
            "body.price > 1000",
            "> cannot compare a text with a number",
            "a text becomes a number with | number",
        ),
        ("body.items | sum(start=body.price)", "sum adds numbers: start has to be one", None),
        ("'a' + 1", "+ cannot join a text with something else", "join with ~"),
        ("1 / 0", "division by zero", None),
        ("file.size | filesizes", "there is no filter 'filesizes'", "did you mean 'filesize'?"),
        ("file.size is numbr", "there is no test 'numbr'", "did you mean 'number'?"),
        ("file.name | safe", "there is no filter 'safe'", WITHOUT["safe"]),
    ],
)
def test_errors_say_what_was_meant(source: str, problem: str, hint: str | None) -> None:
    error = refusal(source, expression=True)
    assert (error.problem, error.hint, str(error)) == (problem, hint, problem)


@pytest.mark.parametrize(
    ("source", "column", "hint"),
    [
        ("a = 1", 3, "write =="),
        ("{{ a = 1 }}", 6, "write =="),
        ("a === 1", 3, "write == or !="),
        ("a && b", 3, "write and"),
        ("a || b", 3, "write or"),
        ("!a", 1, "write not"),
        ("a ? b : c", 3, "write: … if … else …"),
        ("x == “a”", 6, "write straight quotes: \"…\" or '…'"),
        ("{{ a }} and {{ b }}", 6, "leave out {{ and }}"),
        ("x == '&&' && y", 11, "write and"),
        ("x == null", None, "write none"),
        ("x == TRUE", None, "write true"),
    ],
)
def test_habits_from_other_languages_are_recognised(source: str, column: int | None, hint: str) -> None:
    error = refusal(source, expression=True)
    assert (error.line, error.column, error.hint) == (1, column, hint)


@pytest.mark.parametrize(
    "source", ["", "  \n", "{{ }}", "(", "a b", "1 +", "a..b", "'open", "a, b", "{% if a %}", "}}"]
)
def test_a_broken_expression_is_refused_when_it_is_read(source: str) -> None:
    with pytest.raises(TemplateError):
        templates.expression(source)


def test_seen_shows_what_a_condition_looked_at() -> None:
    source = (
        "file.size > 5 and body['x-y'][0].z == 1 and file.name.upper()"
        " and now | default(row, true) and 'a' in body.items[:1]"
    )
    seen = templates.expression(source).seen(DATA)
    assert seen == {
        "file.size": 48210,
        'body["x-y"][0].z': "(not there)",
        "file.name": "a_b.pdf",
        "now": "2026-11-23T06:00:00+00:00",
        "row": {"customer": "Ali", "order_no": 7},
        "body.items": [1, 2],
    }


def test_seen_has_no_secret_also_where_it_is_a_name() -> None:
    learn("canary-name-4711")
    seen = templates.expression("x").seen({"x": {"canary-name-4711": "of canary-name-4711"}})
    assert seen == {"x": {"***": "of ***"}}


def test_seen_is_short() -> None:
    many = {"x": {"t": "a" * 1000, "l": list(range(99)), "d": {"a": {"b": {"c": 1}}}}}
    assert templates.expression("x").seen(many) == {
        "x": {"t": "a" * 200 + "…", "l": [*range(10), "… 89 more"], "d": {"a": {"b": "…"}}}
    }


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("{{ file.size }} {{ file['sha256'] }} {{ now }}", {"file": {"size", "sha256"}, "now": set()}),
        ("{% for file in file.rows %}{{ file.x }}{% endfor %}", {"file": {"rows"}}),
        ("{% set x = body.a %}{{ x.y }}", {"body": {"a"}}),
        ("{% macro m(a) %}{{ a.b }}{{ c.d.e }}{% endmacro %}{{ m(1) }}", {"c": {"d"}}),
        ("{% for a in range(3) %}{{ loop.index }}{% endfor %}", {}),
        ("{% if a.b is defined %}{{ a.c }}{% endif %}", {"a": {"b", "c"}}),
        ("{{ headers['x-a'] }}{{ body.a['b'].c }}", {"headers": {"x-a"}, "body": {"a"}}),
        (
            "{{ file.get('size') }}{% for k in body.keys() %}{{ k.x }}{% endfor %}",
            {"file": {"size"}, "body": set()},
        ),
        ("{{ row.a.items() }}{{ row.get(now) }}", {"row": {"a"}, "now": set()}),
        ("{% set x = 1 %}{% block b %}{{ x }}{{ y.z }}{% endblock %}", {"y": {"z"}}),
    ],
)
def test_names_of_a_template(source: str, names: dict[str, set[str]]) -> None:
    assert templates.text(source).names == names


def test_names_of_an_expression() -> None:
    assert templates.expression("file.size > x and result.a").names == {
        "file": {"size"},
        "x": set(),
        "result": {"a"},
    }


def test_names_of_the_files_it_pulls_in_are_counted(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        base="{{ base.a }}{{ title }}{% block b %}{% endblock %}",
        child="{% extends 'base.j2' %}{% set title = 1 %}{% block b %}{% include 'part.j2' %}{% endblock %}",
        part="{% from 'macros.j2' import line as l, end %}{{ l(part.a) }}{{ end() }}",
        macros="{% macro line(x) %}{{ x.y }}{{ outer.z }}{% endmacro %}{% macro end() %}{% endmacro %}",
        loop=(
            "{% for a in file.rows %}{% include ['none.j2', 'row.j2'] %}"
            "{% include 'x.j2' ignore missing %}{% endfor %}"
        ),
        row="{{ a.b }}{{ c.d }}",
    )
    assert folder.file("child.j2").names == {"base": {"a"}, "part": {"a"}, "outer": {"z"}}
    assert folder.file("loop.j2").names == {"file": {"rows"}, "c": {"d"}}
    assert folder.file("loop.j2").render({"file": {"rows": [{"b": 1}, {"b": 2}]}, "c": {"d": "-"}}) == "1-2-"
    assert folder.text("{% include 'row.j2' %}").names == {"a": {"b"}, "c": {"d"}}


@pytest.mark.parametrize(
    "name", ["nope.j2", "../secret.j2", "/etc/passwd", "", ".", "sub", "a\0b", "a" * 300]
)
def test_nothing_outside_of_the_folder_is_a_template(tmp_path: Path, name: str) -> None:
    tmp_path.joinpath("secret.j2").write_text("x")
    folder = tmp_path / "templates"
    folder.joinpath("sub").mkdir(parents=True)
    with pytest.raises(TemplateError):
        Templates(folder).file(name)
    with pytest.raises(TemplateError):
        Templates(folder).text(f"{{% include {json.dumps(name)} %}}")


def test_no_template_leads_out_of_its_folder_by_a_link(tmp_path: Path) -> None:
    tmp_path.joinpath("secret.j2").write_text("x")
    tmp_path.joinpath("outside").mkdir()
    tmp_path.joinpath("outside", "a.j2").write_text("x")
    folder = tmp_path / "templates"
    folder.mkdir()
    folder.joinpath("file.j2").symlink_to("../secret.j2")
    folder.joinpath("twice.j2").symlink_to("file.j2")
    folder.joinpath("folder").symlink_to("../outside")
    for name in ("file.j2", "twice.j2", "folder/a.j2"):
        with pytest.raises(TemplateError, match="is a link that leads out of"):
            Templates(folder).file(name)
        for tag in ("include 'NAME'", "include 'NAME' ignore missing", "include ['NAME', 'no.j2']"):
            with pytest.raises(TemplateError, match="is a link that leads out of"):
                Templates(folder).text(f"{{% {tag} %}}".replace("NAME", name))


def test_links_within_the_folder_and_to_it_are_followed(tmp_path: Path) -> None:
    real = tmp_path / "mounted" / "..data"
    real.mkdir(parents=True)
    real.joinpath("a.j2").write_text("hello")
    tmp_path.joinpath("mounted", "a.j2").symlink_to("..data/a.j2")
    tmp_path.joinpath("templates").symlink_to("mounted")
    assert Templates(tmp_path / "templates").file("a.j2").render({}) == "hello"


def test_a_pipe_is_no_template_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.j2")
    with pytest.raises(TemplateError, match="there is no template"):
        Templates(tmp_path).file("a.j2")


@pytest.mark.parametrize(
    "tag",
    [
        "{% include x %}",
        "{% include x.y %}",
        "{% include 'a' ~ x %}",
        "{% include x if x else 'a.j2' %}",
        "{% include ['a.j2', x] %}",
        "{% include x ignore missing %}",
        "{% extends x %}",
        "{% import x as m %}",
        "{% from x import m %}",
        "{% include 7 %}",
        "{% if 0 %}{% include x %}{% endif %}",
    ],
)
def test_no_data_chooses_a_file(tmp_path: Path, tag: str) -> None:
    folder = files(tmp_path, a="x", page=f"\n{tag}")
    for make in (folder.text, lambda _: folder.file("page.j2")):
        with pytest.raises(TemplateError, match="no data may choose it") as caught:
            make(f"\n{tag}")
        assert (caught.value.line, caught.value.hint is None) == (2, False)


def test_a_missing_file_is_named_with_its_folder_and_near_names(tmp_path: Path) -> None:
    folder = files(tmp_path, alerts="x", page="\n{% include 'alert.j2' %}")
    with pytest.raises(TemplateError) as caught:
        folder.file("alert.j2")
    assert str(caught.value) == f"there is no template 'alert.j2' in {tmp_path}"
    assert caught.value.hint == "did you mean 'alerts.j2'?"
    with pytest.raises(TemplateError) as caught:
        folder.file("page.j2")
    assert (caught.value.name, caught.value.line) == ("page.j2", 2)
    assert str(caught.value) == f"page.j2:2: there is no template 'alert.j2' in {tmp_path}"


def test_without_a_folder_there_are_no_files() -> None:
    with pytest.raises(TemplateError, match="no template folder"):
        templates.file("x.j2")


def test_a_file_that_is_no_utf8_text_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("a.j2").write_bytes(b"\xff\xfe")
    with pytest.raises(TemplateError, match=r"a\.j2: this file is not UTF-8 text"):
        Templates(tmp_path).file("a.j2")


def test_a_byte_order_mark_is_not_part_of_the_message(tmp_path: Path) -> None:
    tmp_path.joinpath("a.j2").write_bytes(b"\xef\xbb\xbfhello")
    assert Templates(tmp_path).file("a.j2").render({}) == "hello"


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """What is loaded stays as it is, until new Templates are made."""
    folder = files(tmp_path, page="{% include 'part.j2' %}", part="old")
    page = folder.file("page.j2")
    files(tmp_path, part="{% broken")
    assert page.render({}) == "old"
    assert (page.name, page.source) == ("page.j2", "{% include 'part.j2' %}")


@pytest.mark.parametrize(
    ("source", "problem", "line"),
    [
        ("{% block a %}{% endblock %}\n{% block a %}{% endblock %}", "block 'a' defined twice", 2),
        (
            "{% if 1 %}\n{% for x in y %}{% extends 'b' %}{% endfor %}{% endif %}",
            "cannot use extend from a non top-level scope",
            2,
        ),
    ],
)
def test_what_only_the_compiler_refuses_is_wrong_in_an_inline_template_too(
    tmp_path: Path, source: str, problem: str, line: int
) -> None:
    (tmp_path / "b").write_text("")
    with pytest.raises(TemplateError) as caught:
        Templates(tmp_path).text(source)
    assert (caught.value.problem, caught.value.line) == (problem, line)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("\n\n{{ x | nope }}", 3),
        ("\n{% if %}", 2),
        ("{{ null }}", 1),
        ("{% block a %}{% endblock %}\n{% block a %}{% endblock %}", 2),
    ],
)
def test_a_broken_file_is_found_when_a_file_that_includes_it_is_loaded(
    tmp_path: Path, part: str, line: int
) -> None:
    with pytest.raises(TemplateError) as caught:
        files(tmp_path, page="{% include 'part.j2' %}", part=part).file("page.j2")
    assert (caught.value.name, caught.value.line) == ("part.j2", line)


def test_an_error_while_rendering_names_the_innermost_place(tmp_path: Path) -> None:
    folder = files(
        tmp_path,
        page="\n{% import 'm.j2' as m %}\n{{ m.x() }}",
        m="{% macro x() %}\n\n{{ 1 / 0 }}{% endmacro %}",
    )
    with pytest.raises(TemplateError, match=r"^m\.j2:3: division by zero$") as caught:
        folder.file("page.j2").render({})
    assert (caught.value.name, caught.value.line) == ("m.j2", 3)
    inline = refusal("a\nb {{ row.customer }}\n{{ row.x }}")
    assert (inline.name, inline.line, str(inline)) == (None, 3, "no field 'x' in row")


def test_files_that_pull_each_other_in_end(tmp_path: Path) -> None:
    folder = files(tmp_path, a="{% include 'b.j2' %}", b="{% include 'a.j2' %}", c="{% extends 'c.j2' %}")
    for name in ("a.j2", "c.j2"):
        with pytest.raises(TemplateError, match="too deep"):
            folder.file(name).render({})


def test_a_tag_that_does_not_exist_is_refused_with_a_near_one() -> None:
    error = refusal("{% if a %}\n{% elsif b %}{% endif %}")
    assert (error.problem, error.hint, error.line) == ("there is no tag 'elsif'", "did you mean 'elif'?", 2)
    assert refusal("don't\n{% if a && b %}{% endif %}").hint == "write and"
    assert "autoescape" in refusal("{% autoescape true %}{% endautoescape %}").problem


_LEAVES = st.sampled_from(
    [
        "a",
        "b.c",
        "b['x y']",
        "b.get('k')",
        "len(a)",
        "dict(k=a)",
        "1",
        "'t'",
        "none",
        "a | join('-')",
        "now()",
    ]
)
_PAIRS = ("{} + {}", "{} ~ {}", "{} == {}", "{} in {}", "{} and {}", "[{}, {}]", "{}[{}]", "{}, {}")
_CALLS = ("{} | default({})", "({} if {})", "{}.get({})", "({}).f({})", "{} | map('x', {})")
_ALONE = ("not {}", "-({})", "({}).c", "{} is defined", "{}[1:2]", "{} is in([a])")


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    twice = st.builds(str.format, st.sampled_from(_PAIRS + _CALLS), inner, inner)
    return twice | st.builds(str.format, st.sampled_from(_ALONE), inner)


@given(
    source=st.recursive(_LEAVES, _grown, max_leaves=12),
    form=st.sampled_from(["{{%s}}", "{%% if %s %%}{{a.d}}{%% endif %%}"]),
)
def test_a_simple_template_has_the_names_that_jinja_finds_and_compiles(source: str, form: str) -> None:
    sandbox = Sandbox(Folder(None), Locale())
    try:
        root = sandbox.parse(form % source)
        tree, searched = Tree(root), Tree(root)
        check(sandbox, tree)
    except (TemplateSyntaxError, TemplateError):
        return
    searched.is_simple = False
    assume(tree.is_simple)
    assert names(sandbox, [tree]) == names(sandbox, [searched])
    sandbox.from_string(root)


@pytest.mark.parametrize("source", ["-" * 40 + "a", "a" + ".b" * 40, "f(x=1, x=2)", "1[1:2]", "f(*a)"])
def test_what_python_may_refuse_to_compile_is_not_simple(source: str) -> None:
    assert not Tree(Sandbox(Folder(None), Locale()).parse(f"{{{{ {source} }}}}")).is_simple
