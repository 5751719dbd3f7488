"""Calls as people know them: a filter may be called as a function, and a map has its methods.

``len(x)`` is ``x | length``, ``max(a, b)`` is ``[a, b] | max``, and ``x.get('name')`` is no field of ``x``.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import jinja2
from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from wbox_notify.templates.tree import Tree

Node = TypeVar("Node", bound=nodes.Node)

METHOD = "(method)"
"""The filter that gives what is called as a method; no template can contain its name."""

_FUNCTIONS = {"len": "length", "sorted": "sort", "str": "string"}
METHODS: Mapping[str, Callable[..., Any]] = {
    "get": lambda fields, name, default=None: fields.get(name, default),
    "items": lambda fields: list(fields.items()),
    "keys": list,
    "values": lambda fields: list(fields.values()),
}
"""The methods of a map; they are reached only where one is called, for such a name may be a field as well."""


def rewritten(tree: Node, filters: Container[str]) -> Node:
    """Return a tree in which filters that are called are filters, and methods of maps are found."""
    parts = Tree(tree)
    if not parts.of(nodes.Call):
        return tree
    return _Rewriting(filters, {*bound(parts.nodes)}).visit(tree)  # type: ignore[no-any-return]


class _Rewriting(NodeTransformer):
    def __init__(self, filters: Container[str], ours: set[str]) -> None:
        self._filters, self._ours = filters, ours

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802 - Jinja's name
        self.generic_visit(node)
        called = node.node
        if isinstance(called, nodes.Getattr) and called.attr in METHODS:
            node.node = _filter(called.node, METHOD, [nodes.Const(called.attr)])
        if isinstance(called, nodes.Name) and called.name not in self._ours:
            name = _FUNCTIONS.get(called.name, called.name)
            if name in self._filters and node.args:
                return _as_filter(node, name)
        return node


def _as_filter(call: nodes.Call, name: str) -> nodes.Filter:
    value, *args = call.args
    if name in {"max", "min"} and args:
        value, args = nodes.List(call.args, lineno=call.lineno), []
    return nodes.Filter(value, name, args, call.kwargs, call.dyn_args, call.dyn_kwargs, lineno=call.lineno)


def _filter(node: nodes.Expr, name: str, args: list[nodes.Expr]) -> nodes.Filter:
    return nodes.Filter(node, name, args, [], None, None, lineno=node.lineno)


def bound(parts: Iterable[nodes.Node]) -> Iterator[str]:
    """Yield the names that the nodes of a template give, which may be those of macros."""
    for part in parts:
        if isinstance(part, nodes.Macro) or (isinstance(part, nodes.Name) and part.ctx != "load"):
            yield part.name
        elif isinstance(part, nodes.Import):
            yield part.target
        elif isinstance(part, nodes.FromImport):
            yield from (name[1] if isinstance(name, tuple) else name for name in part.names)


@jinja2.pass_environment
def method(environment: jinja2.Environment, obj: Any, name: str) -> Any:
    """Return what is called as a method of a value."""
    if isinstance(obj, Mapping):
        return partial(METHODS[name], obj)
    return environment.getattr(obj, name)
