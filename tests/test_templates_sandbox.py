"""What templates cannot do: leave the sandbox, fill the memory, run away, or fail in an unknown way."""

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wbox_notify.errors import ConfigError
from wbox_notify.templates import TemplateError, Templates

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
BIG = "x" * 1_000_000

DATA = {
    "big": BIG,
    "maps": [{"a": {str(number): number}} for number in range(2000)],
    "now": NOW,
    "x": "a",
}

templates = Templates()


def render(source: str, **data: str) -> str:
    return templates.text(source).render({**DATA, **data})


ESCAPES = [
    "''.__class__",
    "''['__class__']",
    "''.__class__.__mro__[1].__subclasses__()",
    "x.__class__",
    "[].__class__",
    "[].append(1)",
    "[].sort()",
    "(1).__class__",
    "(1).to_bytes(9)",
    "'a'.encode()",
    "now.__class__",
    "now.astimezone()",
    "x | attr('__class__')",
    "['a'] | map('attr', '__class__')",
    "['a'] | map(attribute='__class__')",
    "[{}] | map(attribute='__class__.__mro__')",
    "['a'] | groupby('__class__')",
    "'{0.__class__}'.format(1)",
    "'{0[__class__]}'.format('a')",
    "'{x.__globals__}'.format_map({'x': range})",
    "''['format'].__self__",
    "'{0.__self__}'.format(''.format)",
    "cycler.__init__.__globals__",
    "joiner()",
    "lipsum(5)",
    "range.__globals__",
    "dict.__class__",
    "namespace.__init__",
    "timedelta.min",
    "timedelta.__subclasses__()",
    "{}.get.__globals__",
    "{}.items.__self__",
    "{}.get('a').__class__",
    "len.__self__",
    "str(x).__class__",
    "('a' | split).__class__",
    "x | from_json('__class__') | map(attribute='__class__')",
    "now().__class__",
    "namespace(a=1).__class__",
    "self._TemplateReference__context",
    "self.__init__.__globals__",
    "undefined_name.__class__",
    "[1] | random",
    "'<b>' | safe",
    "x | pprint",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_the_sandbox_has_no_way_out(source: str) -> None:
    with pytest.raises(ConfigError):
        render(f"{{{{ {source} }}}}")
    with pytest.raises(TemplateError):
        templates.expression(source).value(DATA)


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
        "{% for i in [1] %}{{ loop._iterable }}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m._func }}",
        "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
        "{% block a %}{{ self.a._context }}{% endblock %}",
        "{% block a %}{{ super._stack }}{% endblock %}",
        "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}",
        "{% set f = ''.format %}{{ f.__func__ }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}{{ ns.__class__ }}",
    ],
)
def test_the_objects_of_a_template_have_no_way_out(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


# Each of these would fill the memory.
HUGE = [
    "'x' * 10 ** 9",
    "[0] * 10 ** 9",
    "10 ** 9 * 'x'",
    "10 ** (10 ** 9)",
    "10 ** 3000 * 10 ** 3000",
    "'%1000000000d' % 1",
    "'%*d' % (10 ** 9, 1)",
    "'%.1000000000f' | format(1)",
    "'%(a)1000000000s' % {'a': 1}",
    "('%(a)s' * 10000) % {'a': big}",
    "'{:>1000000000}'.format(1)",
    "'{:>{}}'.format(1, 10 ** 9)",
    "('{0}' * 10000).format(big)",
    "'x'.ljust(10 ** 9)",
    "'x'.rjust(10 ** 9)",
    "'x'.center(10 ** 9)",
    "'x'.zfill(10 ** 9)",
    "'x' | center(10 ** 9)",
    "'x' | indent(10 ** 9)",
    "('x\n' * 9999) | indent(big)",
    "big | replace('', big)",
    "big.replace('x', big)",
    "(['x'] * 9999) | join(big)",
    "big.join(['x'] * 9999)",
    "big | wordwrap(1, wrapstring=big)",
    "[1] | batch(10 ** 9, 0)",
    "[1] | slice(10 ** 9, 0)",
    "[1] | batch(big, big)",
    "[1] | batch(10 ** 9)",
    "range(9999) | groupby('x', default=big)",
    "range(9999) | map(attribute='x', default=big) | sort",
    "[1] | slice(big, big)",
    "range(10 ** 9)",
    "range(10 ** 30)",
    "5 | round(-10 ** 9)",
    "5 | round(10 ** 9, 'ceil')",
    "[[1]] | sum(start=[])",
    "big ~ big",
    "now.strftime('%Y' * 1000)",
    "('[' * 400 ~ '1,' * 20000 ~ 1 ~ ']' * 400) | from_json | tojson(8)",
    "big[:300000] | select('none')",
    "big[:3000] | map('iif', maps, maps) | tojson",
    "{} | combine(*maps, recursive=true)",
]


@pytest.mark.parametrize("source", HUGE)
def test_C11_and_K08_nothing_huge_is_made(source: str) -> None:
    template = templates.text(f"{{{{ {source} }}}}")
    tracemalloc.start()
    try:
        with pytest.raises(TemplateError):
            template.render(DATA)
        assert tracemalloc.get_traced_memory()[1] < 32_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "source",
    [
        "{% set n = namespace(x='abc') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x='abc') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}",
        "{% set n = namespace(x=1) %}{% for i in range(99) %}{% set n.x = dict(a=n.x, b=n.x) %}{% endfor %}",
        "{% set n = namespace(x=x) %}{% for i in big %}{% set n.x %}{{ n.x * 2 }}{% endset %}{% endfor %}",
        "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
        "{% set x %}{% for i in range(9999) %}" + "x" * 5000 + "{% endfor %}{% endset %}",
        "{% set x %}{% for i in range(9999) recursive %}{{ loop(range(9999)) }}{% endfor %}{% endset %}",
        "{% macro m() %}{% for i in range(9999) %}{{ big }}{% endfor %}{% endmacro %}{% set x = m() %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(99) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}",
        "{% for i in range(9999) %}0123456789{% endfor %}",
        "{% for i in big if i == 'y' %}{% endfor %}",
        "{{ big }}",
    ],
)
def test_K08_nothing_runs_away(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


def test_an_include_that_doubles_itself_is_stopped(tmp_path: Path) -> None:
    twice = "{% set n = n - 1 %}{% if n %}{% include 'a.j2' %}{% include 'a.j2' %}{% endif %}"
    tmp_path.joinpath("a.j2").write_text(twice)
    with pytest.raises(TemplateError, match="too much"):
        Templates(tmp_path).file("a.j2").render({"n": 40})


def test_C11_and_K08_time_is_limited() -> None:
    with pytest.raises(TemplateError, match="takes too long"):
        Templates(seconds=0).text("{{ 1 }}").render({})


def test_K08_output_may_be_64_kib_and_no_more() -> None:
    assert len(render("{{ x }}", x="x" * 65_536)) == 65_536
    with pytest.raises(TemplateError, match="longer than 64 KiB"):
        render("{{ x }}", x="ş" * 32_769)


def test_an_error_about_huge_data_is_short() -> None:
    huge = {f"{number}{'y' * 50}": number for number in range(100_000)} | {BIG: {}}
    for source in ("x.missing", "x[big].missing", "x[big ~ 1]", "big | int(base=36) + x", "{}[big]", "zzz"):
        with pytest.raises(TemplateError) as caught:
            templates.expression(source).value({"x": huge, "big": BIG, **huge})
        assert len(f"{caught.value} {caught.value.hint}") < 1500


def test_one_template_does_not_use_up_the_room_of_another() -> None:
    template = templates.text("{% for i in range(9999) %}{% if i == 1 %}{{ i }}{% endif %}{% endfor %}")
    assert [template.render({}) for _ in range(30)] == ["1"] * 30


def test_many_maps_can_be_combined() -> None:
    maps = [{f"name {number}": number} for number in range(30_000)]
    assert templates.expression("{} | combine(*maps) | length").value({"maps": maps}) == 30_000


def test_long_data_can_still_be_searched_and_cut() -> None:
    assert templates.expression("'y' in big | upper").truth({"big": BIG}) is False
    assert render("{{ big | truncate(10) }}", big="x" * 5_000_000) == "xxxxxxx..."


PIECES = [
    "{{",
    "}}",
    "{%",
    "%}",
    "{#",
    "#}",
    " ",
    "\n",
    "x",
    "x.y",
    "'a'",
    "1",
    "1e999",
    "9" * 5000,
    "|",
    "(",
    ")",
    "[",
]
PIECES += [
    "]",
    "{",
    "}",
    ",",
    "=",
    "==",
    "!",
    "-",
    "*",
    "**",
    "~",
    " is ",
    " in ",
    " if ",
    " else ",
    "if ",
    "endif",
    "for x in ",
]
PIECES += [
    "endfor",
    "set ",
    "macro m(",
    "endmacro",
    "block ",
    "endblock",
    "include ",
    "extends ",
    "import ",
    "call m()",
    "raw",
]
PIECES += [
    "join",
    "map",
    "default",
    "__class__",
    "self",
    "super()",
    "\ud800",
    "\x00",
    "ﬁ",
    "x(__debug__=1)",
    "“",
    "&&",
    "+%}",
]


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_any_source_compiles_or_is_refused(source: str) -> None:
    for read in (templates.expression, templates.text):
        try:
            made = read(source)
        except TemplateError as error:
            assert error.problem  # noqa: PT017 - both ways are fine, and nothing else is
        else:
            assert made.source == source


@pytest.mark.parametrize("source", ["(" * 5000, "x" + ".y" * 5000, "-" * 5000 + "1", "x|f" + "(1)|f" * 3000])
def test_a_source_too_deep_for_the_compiler_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        templates.expression(source)


def test_blocks_too_deep_for_python_are_refused() -> None:
    with pytest.raises(TemplateError, match="too deep"):
        templates.text("{% for a in x %}" * 30 + "{% endfor %}" * 30)
