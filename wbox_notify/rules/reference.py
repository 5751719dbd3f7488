"""Reference: all keys of the language as one page of Markdown, made of the models themselves.

``python -m wbox_notify.rules.reference > docs/rules.md`` writes it.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wbox_notify.rules import names
from wbox_notify.rules.models import RuleFile
from wbox_notify.rules.names import Names
from wbox_notify.templates import words
from wbox_notify.triggers.webhook.presets import PRESETS

_HEAD = """\
# The rule language

All keys of the files in `rules/`. This page is made from the program itself.

* **Plain** values mean what they say: names, durations (`30s`, `15m`, `1h30m`, `2d`), times (`"18:00"`).
* **Expressions** have no braces: `if`, `for_each`, `dedupe`, `throttle.key`, `group.by`, `unless`, `id`.
* **Templates** have `{{ … }}`: everything under `send`, and `to`.

Expressions and templates are Jinja2. A name or a field that is not there is an error, never a silent no.
"""
_KINDS = {
    "string": "text",
    "integer": "a number",
    "boolean": "`true` or `false`",
    "null": "nothing",
    "array": "a list",
    "object": "a map",
}
_STAGES: tuple[tuple[str, Names], ...] = (
    ("`group` is there, in `to`, `unless` and `send`", names.GROUPED),
    ("`digest` is there, in `send`", names.DIGESTED),
    ("`to`, `unless` and everything in `send`", names.LINKED),
    ("everything in `send`", names.READER),
    ("`escalate`", names.ANSWERED),
)


def reference() -> str:
    """Return the page."""
    schema = RuleFile.model_json_schema()
    parts = [_HEAD]
    for path, model in _models(schema):
        parts += [f"## {path or 'The file'}\n", f"{model['description']}\n", *_table(model), ""]
    return "\n".join([*parts, *_names(), "", *_filters()])


def _models(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each map of the language with the keys that lead to it, from the top down."""
    waiting: list[tuple[str, dict[str, Any]]] = [("", schema)]
    seen: set[str] = set()
    while waiting:
        path, model = waiting.pop(0)
        yield path, model
        below = []
        for key, part in model["properties"].items():
            for name in _refs(part):
                if name not in seen:
                    seen.add(name)
                    # A rule is what most of the page is about, so that its keys stand without `rules`.
                    inner = "a rule" if key == "rules" else f"{path}.{key}" if _is_deep(path) else key
                    below.append((inner, schema["$defs"][name]))
        waiting = below + waiting if _is_deep(path) else waiting + below


def _is_deep(path: str) -> bool:
    return path not in {"", "a rule"}


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for part in node:
            yield from _refs(part)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for part in node.values():
            yield from _refs(part)


def _table(model: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | takes | what it says | when left out |"
    yield "|---|---|---|---|"
    required = model.get("required", ())
    for key, part in model["properties"].items():
        left_out = "has to be there" if key in required else _default(part.get("default"))
        yield f"| `{key}` | {_takes(part)} | {part.get('description', '')} | {left_out} |"


def _takes(part: Mapping[str, Any]) -> str:
    kinds = part.get("anyOf") or [part]
    words = [_word(kind) for kind in kinds if kind != {"type": "null"}]
    return " or ".join(dict.fromkeys(filter(None, words)))


def _word(kind: Mapping[str, Any]) -> str:
    if "enum" in kind or "const" in kind:
        return ", ".join(f"`{_written(one)}`" for one in kind.get("enum") or [kind["const"]])
    if str(kind.get("title", "")).startswith("a "):
        return str(kind["title"])
    return "a map" if "$ref" in kind else _KINDS.get(kind.get("type", ""), "anything")


def _default(value: Any) -> str:
    if isinstance(value, float):
        return f"`{_duration(value)}`"
    if value in (None, [], {}) or isinstance(value, dict):
        return ""
    return ", ".join(f"`{_written(one)}`" for one in (value if isinstance(value, list) else [value]))


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"


def _names() -> Iterator[str]:
    yield "## Names\n"
    yield "What expressions and templates see.\n"
    yield "| where | names |"
    yield "|---|---|"
    yield f"| everywhere | {_listed({**names.FIRST, **names.LAST})} |"
    for kind, offered in names.OF_TRIGGERS.items():
        yield f"| `trigger` is `{kind}` | {_listed(offered)} |"
    for name, preset in PRESETS.items():
        if preset.fields:
            fields = {key: frozenset(parts or ()) for key, parts in preset.fields.items()}
            yield f"| `preset` is `{name}` | {_listed(fields)} |"
    for where, offered in _STAGES:
        yield f"| {where} | {_listed(offered)} |"
    yield "| `for_each` is there | the name that it gives |"


def _filters() -> Iterator[str]:
    yield "## Filters and tests\n"
    yield "Those of [Jinja2](https://jinja.palletsprojects.com/templates/#builtin-filters) but for a few"
    yield "that are not safe, and these. In a pattern, write a backslash twice: `'\\\\d+'`.\n"
    yield "| written | what it does |"
    yield "|---|---|"
    for written, function in words():
        yield f"| `{_cell(written)}` | {_cell(_first_line(function))} |"


def _first_line(function: Callable[..., Any]) -> str:
    """Return what a function says that it does."""
    return str(function.__doc__).partition("\n")[0].removeprefix("Return ").replace("``", "`").rstrip(".")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _listed(offered: Names) -> str:
    return "; ".join(
        f"`{name}` ({', '.join(f'`{field}`' for field in sorted(fields))})" if fields else f"`{name}`"
        for name, fields in offered.items()
    )


if __name__ == "__main__":
    sys.stdout.write(f"{reference()}\n")
