"""The catalogues of translations: ``make texts`` brings them up to date with the code and the templates."""

import ast
import importlib
import io
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from wbox_notify.cli import COMMANDS, group
from wbox_notify.cli.helps import helps
from wbox_notify.model.texts import DOMAIN, LANGUAGES, LOCALE

PACKAGE = LOCALE.parent.parent
_MARKS = {"_": 1, "gettext": 1, "Wording": 1, "ngettext": 2, "plural": 2}
"""The functions that take a text, with the number of its forms."""
_CLICK = (
    "Usage:",
    "Options",
    "Commands",
    "Show this message and exit.",
    "Show the version and exit.",
    "Try '{command} {option}' for help.",
    "Error: {message}",
    "Missing argument",
    "Missing option",
    "Missing command.",
    "No such command {name!r}.",
    "No such option {name!r}.",
    "Option {name!r} does not take a value.",
    "Invalid value for {param_hint}: {message}",
    "Invalid value: {message}",
    "{name} {filename!r} does not exist.",
    ("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
    "{value} is not in the range {range}.",
    "default: {default}",
    "env var: {var}",
    "Aborted!",
    ("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
)
_PLACES = {
    "BodyError": (0,),
    "ConfigError": (0,),
    "ForeignError": (0,),
    "KindError": (0,),
    "MediaError": (0,),
    "MessageError": (1,),
    "Miss": (0,),
    "Refusal": (1, 2),
    "SignatureError": (0,),
    "StoreError": (0,),
    "TemplateError": (0,),
    "WboxError": (0,),
    "_Advice": (2, 3),
    "_exposed": (1, 2),
    "_report": (2, 3),
    "_stopped": (2, 3),
    "_stray": (3, 4),
    "_unreadable": (2,),
    "_writing": (1,),
    "invalid": (1, 2),
    "key_problem": (1,),
    "matching": (1, 2),
    "problem": (1, 2),
    "report": (2, 3),
    "report_key": (2, 3),
    "warning": (1, 2),
}
"""The functions that take a problem or a hint by its place."""
_NAMES = {"hint", "message", "problem"}
"""What is called so is one."""
_CODE = re.compile("WBX[0-9]{3}")
"""It may stand where others have a problem."""


def used() -> Catalog:
    """Return the texts of the program, each with the files that use it."""
    catalog = Catalog()
    for file, text, context in (*_extracted(), *_of_commands()):
        catalog.add(text, locations=[(file, 0)], context=context)
    return catalog


def _of_commands() -> Iterator[tuple[str, str | tuple[str, str], None]]:
    """Yield the help of the commands, and the words of click that go with it."""
    found: list[str | tuple[str, str]] = [*_CLICK, *(line for _, line in COMMANDS.values()), *helps(group)]
    for name, (module, _) in COMMANDS.items():
        found += helps(getattr(importlib.import_module(f"wbox_notify.cli.{module}"), name))
    yield from (("cli", text, None) for text in found if text)


def _extracted() -> Iterator[tuple[str, str | tuple[str, ...], str | None]]:
    methods = [("apprise_plugin.py", "ignore"), ("**.py", _python), ("**.html", "jinja2")]
    options = {"**.html": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}
    found = extract_from_dir(PACKAGE, methods, options, keywords={"_": None, "ngettext": (1, 2)})
    for file, _, text, _, context in sorted(found, key=lambda each: (each[0], each[1])):
        yield file, text, context


def _python(file: BinaryIO, *_: object, **__: object) -> Iterator[tuple[int, str, Any, Sequence[str]]]:
    """Yield the texts of a module, as Babel wants them: those that are marked, problems and hints."""
    for node in ast.walk(ast.parse(file.read())):
        for texts in _texts(node):
            found = [text.value for text in texts if isinstance(text, ast.Constant) and text.value]
            found = [text for text in found if not (isinstance(text, str) and _CODE.fullmatch(text))]
            if texts and len(found) == len(texts) and all(isinstance(text, str) for text in found):
                yield texts[0].lineno, "_" if len(found) == 1 else "ngettext", tuple(found), ()


def _texts(node: ast.AST) -> Iterator[Sequence[ast.expr]]:
    """Yield what is a text, each with its forms."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) if name in _NAMES:
            yield from _either(node.value)
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            for target, value in zip(targets, values, strict=False):
                if isinstance(target, ast.Name) and target.id in _NAMES:
                    yield from _either(value)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            yield node.args[: _MARKS.get(name, 0)]
            places = [node.args[place] for place in _PLACES.get(name, ()) if place < len(node.args)]
            for value in [*places, *(keyword.value for keyword in node.keywords if keyword.arg in _NAMES)]:
                yield from _either(value)


def _either(value: ast.expr) -> Iterator[Sequence[ast.expr]]:
    """Yield a text, or each of those of which one is chosen."""
    match value:
        case ast.BoolOp(values=values):
            yield from ([part] for part in values)
        case ast.IfExp(body=one, orelse=other):
            yield from ([one], [other])
        case _:
            yield [value]


def paths() -> Iterator[tuple[str, Path]]:
    """Yield the catalogue of each language that needs one; beside it is the form that the program reads."""
    for lang in LANGUAGES[1:]:
        yield lang, LOCALE / lang / "LC_MESSAGES" / f"{DOMAIN}.po"


def translated(lang: str, path: Path) -> Catalog:
    """Return the catalogue of a language with the texts of now; what it does not know yet is empty."""
    with path.open("rb") as file:
        catalog = read_po(file, lang, DOMAIN)
    catalog.update(used(), no_fuzzy_matching=True, update_creation_date=False)
    return catalog


def as_po(catalog: Catalog) -> bytes:
    """Return a catalogue for translators."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, ignore_obsolete=True, include_lineno=False)
    return buffer.getvalue()


def as_mo(catalog: Catalog) -> bytes:
    """Return a catalogue for the program."""
    buffer = io.BytesIO()
    write_mo(buffer, catalog)
    return buffer.getvalue()


def main() -> None:
    """Bring the catalogues up to date, and print the texts that are not translated yet."""
    for lang, path in paths():
        catalog = translated(lang, path)
        path.write_bytes(as_po(catalog))
        path.with_suffix(".mo").write_bytes(as_mo(catalog))
        for message in catalog:
            if message.id and not (all(message.string) if message.pluralizable else message.string):
                sys.stdout.write(f"{lang}: {message.id}\n")


if __name__ == "__main__":
    main()
