"""The pages of the documentation, and the blocks of code in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPLETE = [
    "README",
    *(f"docs/{name}" for name in ("tour", "settings", "jobs", "rows", "webhooks", "troubles", "reminders")),
]
"""The pages whose blocks of YAML are whole files."""


def page(name: str) -> str:
    """Return the text of a page, which is named by its path without the ending."""
    return (ROOT / f"{name}.md").read_text(encoding="utf-8")


def blocks(language: str, *names: str) -> list[str]:
    """Return the blocks of a language, which stands behind their three ticks, on some pages."""
    return [
        block for name in names for block in re.findall(rf"```{language}\n(.*?)```", page(name), re.DOTALL)
    ]
