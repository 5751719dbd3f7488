"""The tree of a template or an expression: its nodes, walked through once."""

from typing import TypeVar

from jinja2 import nodes

N = TypeVar("N", bound=nodes.Node)

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
        is_short: Whether it is short, and nothing in it lies deep.
        is_simple: Whether it also sets no names and pulls in no files: then its names are those that it
            reads, and Python compiles it for sure.
    """

    def __init__(self, root: nodes.Node) -> None:
        self.root = root
        self.nodes: list[nodes.Node] = []
        deepest = 0
        waiting = [(root, 0)]
        while waiting:
            node, depth = waiting.pop()
            deepest = max(deepest, depth)
            self.nodes.append(node)
            inner = [(child, depth + 1) for child in node.iter_child_nodes()]
            waiting += reversed(inner)
        self.is_short = deepest <= _DEEPEST and len(self.nodes) <= _MOST
        self.is_simple = self.is_short and all(map(_is_simple, self.nodes))

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
