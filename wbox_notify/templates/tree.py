"""The tree of a template or an expression: its nodes, and code that is made of it when it is first needed."""

import threading
from typing import TypeVar

import jinja2
from jinja2 import nodes

N = TypeVar("N", bound=nodes.Node)

_compiling = threading.Lock()

_SIMPLE = frozenset(
    {
        *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If),
        *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Call),
        *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Concat),
        *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
        *(nodes.List, nodes.Tuple, nodes.Keyword),
    }
)
_MOST, _DEEPEST = 500, 30


class Tree:
    """The nodes of a template or an expression, walked through once.

    Attributes:
        root: The node above all others.
        nodes: All nodes; each stands before what is in it.
        is_simple: Whether it is short, sets no names, and pulls in no files: then its names are those that it
            reads, and Python compiles it for sure.
    """

    def __init__(self, root: nodes.Node) -> None:
        self.root = root
        self.nodes: list[nodes.Node] = []
        self.is_simple = True
        waiting = [(root, 0)]
        while waiting:
            node, depth = waiting.pop()
            self.nodes.append(node)
            if self.is_simple:
                self.is_simple = depth <= _DEEPEST and _is_simple(node)
            inner = [(child, depth + 1) for child in node.iter_child_nodes()]
            waiting += reversed(inner)
        self.is_simple = self.is_simple and len(self.nodes) <= _MOST

    def of(self, *kinds: type[N]) -> list[N]:
        """Return the nodes of some kinds, in their order."""
        return [node for node in self.nodes if isinstance(node, kinds)]


def _is_simple(node: nodes.Node) -> bool:
    if isinstance(node, nodes.Name):
        return node.ctx == "load" and node.name != "self"
    if isinstance(node, nodes.Call | nodes.Filter | nodes.Test):
        names = {option.key for option in node.kwargs}
        return len(names) == len(node.kwargs) and not node.dyn_args and not node.dyn_kwargs
    return type(node) in _SIMPLE


class Code:
    """The code of a tree, compiled when it is first called for; most of many rules never are."""

    def __init__(self, environment: jinja2.Environment, tree: nodes.Template) -> None:
        self._environment = environment
        self._made: nodes.Template | jinja2.Template = tree

    def __call__(self) -> jinja2.Template:
        """Return the code."""
        with _compiling:  # to compile a tree changes it
            if isinstance(self._made, nodes.Template):
                self._made = self._environment.from_string(self._made)
            return self._made
