"""What a machine can count of how well the code reads; `make lint` counts branches."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import wbox_notify

PACKAGE = Path(wbox_notify.__file__).parent


def simple_statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield each statement that holds no other statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not hasattr(node, "body"):
            yield node


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_a_statement_chooses_once_at_most(path: Path) -> None:
    for statement in simple_statements(ast.parse(path.read_text(encoding="utf-8"))):
        choices = [node for node in ast.walk(statement) if isinstance(node, ast.IfExp)]
        assert len(choices) < 2, f"{path}:{statement.lineno}: write the choice as an if"
