"""The sandbox: what an expression or a template can see, reach and call."""

from collections.abc import Mapping, MutableMapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, TypeVar

import jinja2
from jinja2 import nodes
from jinja2.environment import TemplateModule
from jinja2.filters import FILTERS
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, missing, object_type_repr
from jinja2.visitor import NodeTransformer

from wbox_notify.model.texts import Wording, worded
from wbox_notify.templates import bounded, calls, familiar, patterns
from wbox_notify.templates.budget import counted, data, spend, weigh, weighed
from wbox_notify.templates.errors import LONGEST_NAME, TemplateError, kind, near
from wbox_notify.templates.filters import Locale

Node = TypeVar("Node", bound=nodes.Node)

_SEARCHED = 2000

TEXT_METHODS = (
    "capitalize casefold count endswith find index isalnum isalpha isascii isdecimal isdigit islower"
    " isnumeric isspace istitle isupper lower lstrip partition removeprefix removesuffix rfind rindex"
    " rpartition rsplit rstrip split splitlines startswith strip swapcase title upper"
)
_OF_TIMES = "date day hour isoformat isoweekday minute month replace second time timestamp weekday year"
# What can be reached with a dot, besides the fields of a map. Everything else is out of reach, so that
# nothing new in Python or Jinja becomes a way out.
_REACH: tuple[tuple[type, frozenset[str]], ...] = tuple(
    (of, frozenset(names.split()))
    for of, names in (
        (str, TEXT_METHODS),
        (float, "is_integer"),
        (datetime, _OF_TIMES),
        (date, "day isoformat isoweekday month replace weekday year"),
        (time, "hour isoformat minute second"),
        (timedelta, "days seconds total_seconds"),
        (list, "count index"),
        (tuple, "count grouper index list"),
        (
            LoopContext,
            "changed cycle depth depth0 first index index0 last length nextitem previtem revindex revindex0",
        ),
        (Macro, "name"),
        (BlockReference, "super"),
    )
)
MOMENT = frozenset({*_OF_TIMES.split(), "strftime"})
"""What can be reached with a dot in a time."""
REACHED = bounded.METHODS.union(*(names for _, names in _REACH), {"strftime"})
"""All that can be reached with a dot in anything but a map."""


_FIELDS = Wording("its fields are: {names}")


class Missing(jinja2.StrictUndefined):
    """A name or field that is not there: any use of it is an error with a suggestion."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        """Return the problem and, on a second line, the hint."""
        name, owner = self._undefined_name, self._undefined_obj
        if isinstance(name, str):
            name = name[:LONGEST_NAME]
        if self._undefined_hint:
            return self._undefined_hint
        if owner is missing:
            return _hinted(Wording("there is no '{name}' here", name=name), near(name, data()))
        if isinstance(owner, Mapping):
            return _no_field(owner, name)
        if isinstance(owner, list | tuple) and isinstance(name, int):
            place = _where(owner) or Wording("this list")
            return Wording(
                "no item {name} in {place}, which has {number}", name=name, place=place, number=len(owner)
            )
        if str(name).startswith("_"):
            return Wording("'{name}' is out of reach of a template", name=name)
        return _no_attribute(owner, name)


def _hinted(problem: Wording, hint: str) -> Wording:
    """Return a problem with its hint on a second line, where ``failure`` finds both."""
    return Wording("{problem}\n{hint}", problem=problem, hint=worded(hint))


def _no_field(owner: Mapping[Any, Any], name: object) -> str:
    hint = near(name, owner, what=_FIELDS) or "it is empty"
    if name in calls.METHODS:
        hint = "write () after it"
    place = _where(owner) or Wording("this map")
    return _hinted(Wording("no field '{name}' in {place}", name=name, place=place), hint)


def _no_attribute(owner: object, name: object) -> str:
    what = kind(owner)
    if what == "this":
        what = object_type_repr(owner)
    problem = Wording("no field '{name}' in {place}", name=name, place=what)
    if name in FILTERS.keys() - calls.METHODS:
        return _hinted(problem, Wording("write x | {name}", name=name))
    return problem


class Sandbox(ImmutableSandboxedEnvironment):
    """The Jinja environment of one project: strict, bounded, and for plain text."""

    intercepted_binops = frozenset({"+", "-", "*", "**", "%"})

    def __init__(self, loader: jinja2.BaseLoader, locale: Locale) -> None:
        @jinja2.pass_context
        def shown(_: Context, value: Any) -> str:
            return str(counted(locale.text(value)))

        super().__init__(
            loader=loader,
            undefined=Missing,
            finalize=shown,
            extensions=["jinja2.ext.loopcontrols"],
            # The optimizer would run filters while compiling, when nothing counts what they make.
            optimized=False,
            # Only a line that is one tag and nothing else is trimmed; see ``layout``.
            trim_blocks=True,
            lstrip_blocks=True,
            # A file is read once, so a rule keeps its last good version until all is loaded again.
            auto_reload=False,
            cache_size=-1,
        )
        self._locale = locale
        self.filters = {
            **bounded.filters(locale, familiar.filters(locale.moments)),
            **patterns.filters(),
            calls.METHOD: calls.method,
            _SPEND: spend,
            _WEIGHED: weighed,
            _CONCAT: lambda parts: counted("".join(map(locale.text, weighed(parts)))),
        }
        quiet = {"defined", "undefined"}
        tests = {**self.tests, **patterns.tests(), **familiar.tests()}
        checked = {name: bounded.present(test) for name, test in tests.items() if name not in quiet}
        self.tests = tests | checked
        self.globals = {
            "dict": bounded.mapping,
            "namespace": Namespace,
            "range": bounded.short_range,
            "timedelta": timedelta,
        }

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Return the names that a template finds: a plain dict, which each evaluation copies quickly."""
        return {**self.globals, **(d or {})}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return what ``obj.attribute`` means: a field of a map and never its method; Missing if nothing.

        What is below something missing is missing as well, for ``default`` and ``is defined`` to find.
        """
        if isinstance(obj, Missing):
            return obj
        value = self._reach(obj, attribute)
        if value is missing:
            return self.undefined(obj=obj, name=attribute)
        return value

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return what ``obj[argument]`` means; Missing if there is no such field or item."""
        if isinstance(argument, str) or isinstance(obj, Missing):
            return self.getattr(obj, argument)
        try:
            return obj[argument]
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Return the result of a call, counted."""
        if isinstance(obj, Macro) and (obj.catch_varargs or obj.catch_kwargs):
            spend(weigh([*args, *kwargs.values()]))
        if isinstance(obj, datetime) and not args and not kwargs:
            return obj  # now() is what now is
        if not callable(obj):
            raise TemplateError(Wording("{kind} cannot be called", kind=kind(obj)), hint="leave out the ()")
        return counted(super().call(context, obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002 - Jinja's
        """Return the result of an operator that could make something huge."""
        spend()
        return bounded.operate(operator, left, right, self.binop_table[operator])

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return self.rewritten(super()._parse(source, name, filename))

    def rewritten(self, tree: Node) -> Node:
        """Return a tree in which calls that people know from elsewhere are what they mean here."""
        return calls.rewritten(tree, self.filters)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,  # noqa: FBT001, FBT002 - Jinja's
    ) -> str:
        return super()._generate(_Counting().visit(source), name, filename, defer_init)

    def _reach(self, obj: Any, name: str) -> Any:
        """Return what a dot reaches in a value, of a map its fields alone; ``missing`` if nothing."""
        if isinstance(obj, Mapping):
            return obj.get(name, missing)
        if isinstance(obj, TemplateReference):
            return _block(obj, name)
        if isinstance(obj, date | time) and name == "strftime":
            return partial(self._locale.moments.strftime, obj)
        if isinstance(obj, str) and (method := bounded.text_method(self, obj, name)):
            return method
        if _is_reachable(obj, name):
            return getattr(obj, name, missing)
        return missing


def _is_reachable(obj: Any, name: str) -> bool:
    if isinstance(obj, Namespace | TemplateModule):
        return not name.startswith("_")
    for of, names in _REACH:
        if isinstance(obj, of):
            return name in names
    return False


def _block(of: TemplateReference, name: str) -> Any:
    try:
        return of[name]
    except LookupError:
        return missing


# The names of the counting that is woven into a template; no template can contain them.
_SPEND, _WEIGHED, _CONCAT = "(spend)", "(weighed)", "(concat)"
_INCLUDE = 500  # what the time of an include is worth in characters


class _Counting(NodeTransformer):
    """Weaves counting into a template: each turn of a loop, each list or map put together, each ``~``."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        node.body.insert(0, _step(sum(len(text.data) for text in node.find_all(nodes.TemplateData))))
        if node.test:  # it passes over items before their turn
            node.test = nodes.Or(_filter(nodes.Const(0, lineno=node.lineno), _SPEND), node.test)
        return node

    def visit_Include(self, node: nodes.Include) -> list[nodes.Node]:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return [_step(_INCLUDE), node]

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), _CONCAT)

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802 - Jinja's name
        return self._weigh(node, node.items)

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802 - Jinja's name
        if node.ctx != "load":
            return node
        return self._weigh(node, node.items)

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:  # noqa: N802 - Jinja's name
        return self._weigh(node, node.items)

    def _weigh(self, node: nodes.Literal, items: Sequence[nodes.Node]) -> nodes.Node:
        if all(isinstance(item, nodes.Const) for item in items):
            return node
        return _filter(self.generic_visit(node), _WEIGHED)


def _step(amount: int) -> nodes.Stmt:
    return nodes.ExprStmt(_filter(nodes.Const(amount, lineno=1), _SPEND), lineno=1)


def _filter(node: nodes.Node, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _where(value: object) -> str | None:
    """Return how a template reaches a map or list of the data, such as ``body.alerts[0]``; None if far."""
    waiting: list[tuple[str, Any]] = list(data().items())
    for path, part in waiting:
        if part is value:
            return path[:LONGEST_NAME]
        if len(waiting) < _SEARCHED and isinstance(part, Mapping):
            waiting.extend((f"{path}.{name}", field) for name, field in part.items())
        elif len(waiting) < _SEARCHED and isinstance(part, list):
            waiting.extend((f"{path}[{index}]", item) for index, item in enumerate(part))
    return None
