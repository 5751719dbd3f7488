"""The documentation as a whole: its links lead somewhere, and the README stays short."""

import re
from pathlib import Path

import pytest
from pages import ROOT, page

PAGES = [path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/**/*.md")))]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
ENGLISH = sorted({path.stem for path in ROOT.glob("docs/*.md")} - {"index", "first-steps.tr"})
TURKISH = [(f"{name}", f"{name}.tr") for name in ("README", "docs/first-steps")]
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def headings(path: Path) -> set[str]:
    """Return the names by which links know the headings of a page, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("name", PAGES, ids=str)
def test_every_link_to_a_file_or_a_heading_leads_there(name: Path) -> None:
    here = ROOT / name
    text = CODE.sub("", here.read_text(encoding="utf-8"))
    for found in LINK.findall(text):
        link = "".join(found)
        if re.match(r"[a-z]+:", link):
            continue
        place, _, heading = link.partition("#")
        target = (here.parent / place) if place else here
        assert target.exists(), link
        if heading:
            assert heading in headings(target), link


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    text = page("README")
    assert len(text.splitlines()) <= 120
    assert text.index("make demo") < text.index("make test") < text.index("## ")


@pytest.mark.parametrize("name", ENGLISH)
def test_the_readme_and_the_site_lead_to_every_page(name: str) -> None:
    assert f"(docs/{name}.md" in page("README")
    assert f"\n{name}\n" in page("docs/index")


@pytest.mark.parametrize(("english", "turkish"), TURKISH)
def test_a_page_in_turkish_has_the_parts_links_and_commands_of_the_english_one(
    english: str, turkish: str
) -> None:
    assert outline(english) == outline(turkish)


def outline(name: str) -> dict[str, list[str]]:
    """Return what a page is made of, without its words: headings, tables, code, and where its links lead."""
    text = page(name)
    code = re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)
    consoles = "".join(block for kind, block in code if kind == "console")
    commands = [re.split('[#"]', line)[0].strip() for line in consoles.splitlines()]
    links = {"".join(found).replace(".tr.md", ".md") for found in LINK.findall(CODE.sub("", text))}
    return {
        "headings": re.findall(r"^#+ ", text, re.MULTILINE),
        "cells": re.findall(r"^\|.*\|.*\|$", re.sub(r"[^|\n]", "", text), re.MULTILINE),
        "code": [kind for kind, _ in code],
        "commands": commands,
        "links": sorted(links - {"README.md", "first-steps.md"}),
        "names": sorted(re.findall(r"`[^`\n]*`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))),
    }
