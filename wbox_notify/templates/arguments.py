"""Calls that are wrong whatever the data, found without rendering: of filters, tests, functions, methods."""

import inspect
import json
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from jinja2 import Environment, nodes

from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording
from wbox_notify.templates import calls, patterns
from wbox_notify.templates.bounded import WITHOUT
from wbox_notify.templates.errors import TemplateError, near
from wbox_notify.templates.moments import check_form, check_pattern
from wbox_notify.templates.numbers import check_currency
from wbox_notify.templates.sandbox import REACHED, TEXT_METHODS
from wbox_notify.templates.tree import Tree

_Used = nodes.Filter | nodes.Test
_CALLS: tuple[type[_Used | nodes.Call], ...] = (nodes.Call, nodes.Filter, nodes.Test)
_PARTS = (nodes.Call, nodes.Filter, nodes.Getattr, nodes.Getitem)
_JINJAS = ("caller", "loop", "self", "super")

# The filters that are given the name of a filter or a test, and where it stands among the arguments.
_NAMING: Mapping[str, tuple[type[_Used], int]] = {
    "map": (nodes.Filter, 0),
    "reject": (nodes.Test, 0),
    "rejectattr": (nodes.Test, 1),
    "select": (nodes.Test, 0),
    "selectattr": (nodes.Test, 1),
}
# What people call elsewhere, and what to write here.
_ELSEWHERE: Mapping[str, str] = {
    "append": Wording("write x + [y]"),
    "average": Wording("write (x | sum) / (x | length)"),
    "encode": Wording("write x | b64encode, x | hash or x | urlencode"),
    "enumerate": Wording("write loop.index in {% for … %}"),
    "extend": Wording("write x + y"),
    "includes": Wording("write y in x"),
    "json_query": Wording("write x | map(attribute='y'), or x | selectattr('y', 'eq', 'z')"),
    "mandatory": Wording("leave it out: what is missing is an error"),
    "md5": Wording("write x | hash('md5')"),
    "relative_time": Wording("write x | ago"),
    "sha1": Wording("write x | hash('sha1')"),
    "sha256": Wording("write x | hash('sha256')"),
    "substring": Wording("write x[0:5]"),
    "timestamp_local": Wording("write x | datetime"),
    "to_nice_json": Wording("write x | tojson(4)"),
    "toISOString": Wording("write x.isoformat()"),
    "toLowerCase": Wording("write x | lower"),
    "toUpperCase": Wording("write x | upper"),
    "today_at": Wording("write now.replace(hour=9, minute=0)"),
    "update": Wording("write x | combine(y)"),
    "utcnow": Wording("write now"),
}
_UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")

# What the first argument of some filters, tests and methods has to be, where it is written out.
_OF_METHODS: Mapping[str, Callable[[Any], object]] = {"strftime": check_pattern}
_OF_FILTERS: Mapping[str, Callable[[Any], object]] = {
    "currency": check_currency,
    **dict.fromkeys(("date", "datetime", "time"), check_form),
    **dict.fromkeys(
        (patterns.filters().keys() | patterns.tests().keys()) - {"regex_escape"}, patterns.compiled_pattern
    ),
}
_OF_TEXTS = frozenset(TEXT_METHODS.split()) - {"count", "index"}  # lists have these too

_TABLES = frozenset({"rows", "lines", "events"})
"""Functions that `for_each` knows."""


def check_exists(environment: Environment, used: _Used) -> None:
    """Raise TemplateError for a filter or a test that does not exist."""
    problem, known = Wording("there is no test '{name}'"), environment.tests
    hint: str | None = None
    if isinstance(used, nodes.Filter):
        problem, known = Wording("there is no filter '{name}'"), environment.filters
        hint = WITHOUT.get(used.name)
    if used.name not in known:
        hint = hint or _ELSEWHERE.get(used.name) or near(used.name, sorted(filter(str.isidentifier, known)))
        raise TemplateError(problem.about(name=used.name), hint=hint)


def check_calls(environment: Environment, family: Mapping[str | None, Tree]) -> None:
    """Raise TemplateError for a call that cannot work in templates that are used together, by their names."""
    # A macro of one may be called in another. What a loop goes through is data.
    bound, looped = Counter(_JINJAS), Counter[str]()
    for tree in family.values():
        bound.update(calls.bound(tree.nodes))
        for loop in tree.of(nodes.For):
            looped.update(calls.bound(Tree(loop.target).nodes))
    ours = frozenset(bound - looped)
    for name, tree in family.items():
        for call in tree.of(*_CALLS):
            try:
                _check(environment, call, ours)
            except TemplateError as error:
                raise error.at(name, call.lineno) from None


def usage(name: str, function: Callable[..., Any]) -> str:
    """Return how a filter or a test is written, such as ``indent(width=4, first=false)``."""
    arguments = ", ".join(map(_written, _arguments(function)))
    return f"{name}({arguments})" if arguments else name


def _check(environment: Environment, call: _Used | nodes.Call, ours: frozenset[str]) -> None:
    if isinstance(call, _Used):
        _check_used(environment, call)
    elif isinstance(call.node, nodes.Filter) and call.node.name == calls.METHOD:
        name = call.node.args[0].as_const()
        _check_arguments(f"x.{name}", calls.METHODS[name], call)
    elif isinstance(call.node, nodes.Getattr):
        _check_method(environment, call.node, call, ours)
    elif isinstance(call.node, nodes.Name) and call.node.name not in ours:
        _check_function(environment, call.node.name, call)


def _check_used(environment: Environment, used: _Used) -> None:
    if isinstance(used, nodes.Test):
        _check_arguments(f"… is {used.name}", environment.tests[used.name], used)  # type: ignore[arg-type]
    else:
        _check_arguments(f"… | {used.name}", environment.filters[used.name], used)
        if used.name in _NAMING:
            _check_named(environment, used)
    _check_literal(_OF_FILTERS.get(used.name), used)


def _check_literal(check: Callable[[Any], object] | None, call: _Used | nodes.Call) -> None:
    """Check the first argument of a call that takes only some values, where it is written out."""
    if check and call.args and isinstance(call.args[0], nodes.Const):
        check(call.args[0].value)


def _check_named(environment: Environment, used: _Used) -> None:
    """Check the filter or the test that a filter is given the name of."""
    kind, place = _NAMING[used.name]
    for name in used.args[place : place + 1]:
        if isinstance(name, nodes.Const) and isinstance(name.value, str):
            rest = used.args[place + 1 :]
            inner = kind(used.node, name.value, rest, used.kwargs, used.dyn_args, used.dyn_kwargs)
            check_exists(environment, inner)
            _check_used(environment, inner)


def _check_method(
    environment: Environment, method: nodes.Getattr, call: nodes.Call, ours: frozenset[str]
) -> None:
    """Check a method of data, which has no functions in it; what the template sets may be macros."""
    if _root(method) in ours:
        return
    if method.attr not in REACHED:
        raise _no_call(method.attr, REACHED, environment.filters)
    _check_literal(_OF_METHODS.get(method.attr), call)
    if method.attr in _OF_TEXTS:
        _check_arguments(f"x.{method.attr}", getattr(str, method.attr), call)


def _check_function(environment: Environment, name: str, call: nodes.Call) -> None:
    if name == "timedelta":
        for unit in call.kwargs:
            if unit.key not in _UNITS:
                raise TemplateError(
                    Wording("timedelta has no '{name}'", name=unit.key), hint=near(unit.key, _UNITS)
                )
    elif name not in environment.globals and (name != "now" or call.args or call.kwargs):
        raise _no_call(name, filter(str.isidentifier, [*environment.globals, *environment.filters]), ())


def _no_call(name: str, known: Iterable[str], filters: Container[str]) -> TemplateError:
    hint = _ELSEWHERE.get(name) or did_you_mean(name, known) or "leave out the ()"
    if name in filters:
        hint = Wording("write x | {name}", name=name)
    if name in _TABLES:
        hint = Wording(
            "in for_each, write no more than {name}('customers.csv'); choose rows with if", name=name
        )
    return TemplateError(Wording("'{name}' cannot be called", name=name), hint=hint)


def _check_arguments(name: str, function: Callable[..., Any], call: _Used | nodes.Call) -> None:
    if call.dyn_args or call.dyn_kwargs:
        return
    signature = inspect.Signature(_arguments(function))
    try:
        signature.bind(*call.args, **{str(option.key): option.value for option in call.kwargs})
    except TypeError:
        hint = Wording("it is written {usage}", usage=usage(name, function))
        raise TemplateError("these arguments do not fit", hint=hint) from None


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return what a function takes besides what it works on, and what Jinja itself gives it."""
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except ValueError:  # a few of Python's own do not tell
        return [*inspect.signature(lambda *_, **__: None).parameters.values()]
    # What Jinja wraps for its own asynchronous use is given more than it shows.
    own = inspect.unwrap(function)
    return parameters[2:] if hasattr(own, "jinja_pass_arg") else parameters[1:]


def _written(argument: inspect.Parameter) -> str:
    if argument.kind is argument.VAR_POSITIONAL:
        return f"{argument.name}…"
    if argument.default is argument.empty:
        return argument.name
    if isinstance(argument.default, str | int):
        return f"{argument.name}={json.dumps(argument.default)}"
    return f"{argument.name}=…"


def _root(node: nodes.Node) -> str | None:
    """Return the name that a value is reached from."""
    while isinstance(node, _PARTS) and node.node:
        node = node.node
    return node.name if isinstance(node, nodes.Name) else None
