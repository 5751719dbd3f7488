"""Names that a template uses, and files that it pulls in, found without rendering it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from jinja2 import Environment, nodes
from jinja2.compiler import Frame
from jinja2.meta import TrackingCodeGenerator

from wbox_notify.model.texts import Wording
from wbox_notify.templates.arguments import check_exists
from wbox_notify.templates.calls import METHOD
from wbox_notify.templates.errors import TemplateError
from wbox_notify.templates.tree import Tree

_OTHER_WORDS = {
    "NULL": "none",
    "Null": "none",
    "nil": "none",
    "null": "none",
    "FALSE": "false",
    "TRUE": "true",
    "else": "{% else %}",
    "endfor": "{% endfor %}",
    "endif": "{% endif %}",
    "for": "{% for x in … %}",
    "if": "{% if … %}",
}
_NAMING = (nodes.Assign, nodes.AssignBlock, nodes.FromImport, nodes.Import, nodes.Macro)
_FILTERS_AND_TESTS: tuple[type[nodes.Filter | nodes.Test], ...] = (nodes.Filter, nodes.Test)
_Pulling = nodes.Extends | nodes.FromImport | nodes.Import | nodes.Include
_PULLING: tuple[type[_Pulling], ...] = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)


def check(environment: Environment, tree: Tree, name: str | None = None) -> None:
    """Raise TemplateError for a filter, a test or a word that does not exist, and a file that data names."""
    for used in tree.of(*_FILTERS_AND_TESTS):
        try:
            check_exists(environment, used)
        except TemplateError as error:
            raise error.at(name, used.lineno) from None
    _check_words(tree, name)
    for switch in tree.of(nodes.ScopedEvalContextModifier):
        raise TemplateError("a message is plain text: there is no autoescape", line=switch.lineno, name=name)
    for pulling in tree.of(*_PULLING):
        if not all(map(_is_literal, _choices(pulling))):
            raise TemplateError(
                "the name of a file stands here in quotes: no data may choose it",
                hint='write it out, as in {% include "footer.j2" %}, and choose with {% if … %}',
                line=pulling.lineno,
                name=name,
            )


def _check_words(tree: Tree, name: str | None) -> None:
    for word in tree.of(nodes.Name):
        if word.name in _OTHER_WORDS:
            hint = Wording("write {word}", word=_OTHER_WORDS[word.name])
            raise TemplateError(
                Wording("there is no '{name}'", name=word.name), hint=hint, line=word.lineno, name=name
            )
    for field in tree.of(nodes.Getattr):
        if isinstance(field.node, nodes.Name) and field.node.name == "range":
            hint = Wording("write {% for x in … %} … {% endfor %}")
            raise TemplateError("range gives numbers", hint=hint, line=field.lineno, name=name)


def pulled(tree: Tree) -> Iterator[tuple[str, bool, int]]:
    """Yield the name of each file that a template names, whether it has to exist, and the line."""
    for node in tree.of(*_PULLING):
        needed = isinstance(node.template, nodes.Const) and not getattr(node, "ignore_missing", False)
        for choice in _choices(node):
            if isinstance(choice, nodes.Const):
                yield choice.value, needed, node.lineno


def _choices(pulling: _Pulling) -> list[nodes.Expr]:
    """Return what a file is named by, or each of several that are tried in their order."""
    target = pulling.template
    if isinstance(target, nodes.List | nodes.Tuple):
        return target.items
    return [target]


def _is_literal(choice: nodes.Expr) -> bool:
    return isinstance(choice, nodes.Const) and isinstance(choice.value, str)


def names(environment: Environment, family: Iterable[Tree]) -> Mapping[str, frozenset[str]]:
    """Return each name that templates take from the data, with the fields they use on it.

    The family is a template with the files it pulls in. What one of them sets, the others may use, so such
    names are left out.
    """
    trees = list(family)
    fields: dict[str, set[str]] = {}
    for tree in trees:
        others = [other for other in trees if other is not tree or tree.of(nodes.Block)]
        given = {name for other in others for name in _given(other)}
        for name, used in _taken(environment, tree).items():
            if name not in given:
                fields.setdefault(name, set()).update(used)
    return {name: frozenset(used) for name, used in sorted(fields.items())}


def _taken(environment: Environment, tree: Tree) -> Mapping[str, set[str]]:
    """Return each name that one template takes from outside, with the fields that it uses on it."""
    if not tree.is_simple:
        tracker = _Fields(environment)
        tracker.visit(tree.root)
        return {name: tracker.fields.get(name, set()) for name in tracker.undeclared_identifiers}
    taken: dict[str, set[str]] = {
        word.name: set() for word in tree.of(nodes.Name) if word.name not in environment.globals
    }
    for node in tree.of(nodes.Getattr, nodes.Getitem, nodes.Call):
        owner, field = _field(node)
        if field is not None and isinstance(owner, nodes.Name) and owner.name in taken:
            taken[owner.name].add(field)
    return taken


def _field(node: nodes.Node) -> tuple[nodes.Node | None, str | None]:
    """Return whose field a node reaches, and which; None for what reaches no field of a name written out."""
    if isinstance(node, nodes.Getattr):
        return node.node, node.attr
    owner, field = None, None
    if isinstance(node, nodes.Getitem):
        owner, field = node.node, node.arg
    elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Filter):
        method = node.node
        if method.name == METHOD and node.args:
            owner, field = method.node, node.args[0]
    if isinstance(field, nodes.Const) and isinstance(field.value, str):
        return owner, field.value
    return None, None


def leaves(tree: nodes.Node) -> Iterator[tuple[str, nodes.Expr]]:
    """Yield the names and fields that an expression looks at, such as ``file.size``, with their code."""
    text = _path(tree)
    if text is not None and isinstance(tree, nodes.Expr):
        yield text, tree
        return
    if isinstance(tree, nodes.Call) and isinstance(tree.node, nodes.Getattr):
        yield from leaves(tree.node.node)
        children: Iterable[nodes.Node] = tree.iter_child_nodes(exclude=("node",))
    else:
        children = tree.iter_child_nodes()
    for child in children:
        yield from leaves(child)


class Call(NamedTuple):
    """A call of a name with values that are written out."""

    name: str
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]


def literal_call(tree: nodes.Expr) -> Call | None:
    """Return the call that an expression is; None for any other, and where a value is not written out."""
    if not isinstance(tree, nodes.Call) or not isinstance(tree.node, nodes.Name):
        return None
    values = [*tree.args, *(option.value for option in tree.kwargs)]
    if tree.dyn_args or tree.dyn_kwargs or not all(map(_is_written_out, values)):
        return None
    arguments = tuple(part.as_const() for part in tree.args)
    return Call(tree.node.name, arguments, {part.key: part.value.as_const() for part in tree.kwargs})


def _is_written_out(value: nodes.Expr) -> bool:
    parts = value.items if isinstance(value, nodes.List) else [value]
    return all(isinstance(part, nodes.Const) for part in parts)


def look(environment: Environment, leaf: nodes.Node, context: Mapping[str, Any]) -> Any:
    """Return the value of a leaf; an Undefined if it or a part of its path is not there."""
    if isinstance(leaf, nodes.Name):
        if leaf.name in context:
            return context[leaf.name]
        return environment.undefined(name=leaf.name)
    if not isinstance(leaf, nodes.Getattr | nodes.Getitem):
        raise TypeError(leaf)
    owner = look(environment, leaf.node, context)
    if isinstance(owner, environment.undefined):
        return owner
    if isinstance(leaf, nodes.Getattr):
        return environment.getattr(owner, leaf.attr)
    if isinstance(leaf.arg, nodes.Const):
        return environment.getitem(owner, leaf.arg.value)
    return None


def _path(node: nodes.Node) -> str | None:
    """Return a leaf as it is written; None for anything else."""
    if isinstance(node, nodes.Name):
        return node.name
    if not isinstance(node, nodes.Getattr | nodes.Getitem):
        return None
    owner = _path(node.node)
    if owner is None:
        return None
    if isinstance(node, nodes.Getattr):
        return f"{owner}.{node.attr}"
    if isinstance(node.arg, nodes.Const):
        return f"{owner}[{json.dumps(node.arg.value, ensure_ascii=False)}]"
    return None


def _given(tree: Tree) -> Iterator[str]:
    """Yield the names that a template may give to others of its family."""
    for naming in tree.of(*_NAMING):
        if isinstance(naming, nodes.Macro):
            yield naming.name
        elif isinstance(naming, nodes.Import):
            yield naming.target
        elif isinstance(naming, nodes.FromImport):
            for imported in naming.names:
                yield imported[1] if isinstance(imported, tuple) else imported
        else:
            yield from _stored(Tree(naming))
    if tree.of(nodes.Include):
        yield from _stored(tree)


def _stored(tree: Tree) -> Iterator[str]:
    return (name.name for name in tree.of(nodes.Name) if name.ctx != "load")


class _Fields(TrackingCodeGenerator):
    """Jinja's own search for undeclared names, which knows scopes, with the fields used on each."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.optimizer = None  # it would work out what is written out, when nothing counts what that makes
        self.fields: dict[str, set[str]] = {}

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self._note(node, frame)
        super().visit_Getattr(node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 - Jinja's name
        self._note(node, frame)
        super().visit_Getitem(node, frame)

    def visit_Call(self, node: nodes.Call, frame: Frame, *rest: Any, **options: Any) -> None:  # noqa: N802 - Jinja's name
        self._note(node, frame)
        super().visit_Call(node, frame, *rest, **options)

    def _note(self, node: nodes.Node, frame: Frame) -> None:
        owner, field = _field(node)
        if field is None:
            return
        if isinstance(owner, nodes.Name) and owner.name not in self.environment.globals:
            load = frame.symbols.find_load(frame.symbols.ref(owner.name))
            if load == ("resolve", owner.name):
                self.fields.setdefault(owner.name, set()).add(field)
