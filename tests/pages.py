"""The pages of the documentation, and the blocks of code in them."""

import re
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).parent.parent
PAGES = [
    str(path.relative_to(ROOT).with_suffix(""))
    for path in (*ROOT.glob("README*.md"), *sorted(ROOT.glob("docs/**/*.md")))
]
"""All pages for users, each by its path without the ending."""

_RULE = 'version: 1\nrules:\n  - id: of-the-page\n{}    to: "+905551234567"\n    send: {{text: hello}}\n'


def page(name: str) -> str:
    """Return the text of a page, which is named by its path without the ending."""
    return (ROOT / f"{name}.md").read_text(encoding="utf-8")


def blocks(language: str, *names: str) -> list[str]:
    """Return the blocks of a language, which stands behind their three ticks, on some pages."""
    return [
        block for name in names for block in re.findall(rf"```{language}\n(.*?)```", page(name), re.DOTALL)
    ]


def projects(name: str) -> list[tuple[str, str]]:
    """Return what the blocks of YAML on a page are: settings, or rules with the first settings of the page.

    A part of a rule, which begins with its trigger, stands in a rule that is right otherwise.
    """
    rules, settings = [], []
    for block in blocks("yaml", name):
        if block.startswith("trigger:"):
            rules.append(_RULE.format(indent(block, "    ")))
        elif "\nrules:" in block:
            rules.append(block)
        else:
            settings.append(block if "version:" in block else f"version: 1\n{block}")
    first = settings[0] if settings else "version: 1\n"
    return [*((text, "") for text in settings), *((first, text) for text in rules)]
