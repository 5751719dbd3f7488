"""The reference, made of the models: ``make reference`` writes its pages and that of the gallery."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wbox_notify.cli import gallery
from wbox_notify.cli.shapes import output_schema
from wbox_notify.config.values import duration_text
from wbox_notify.config.yaml.document import open_document
from wbox_notify.config.yaml.validation import Strict, as_list
from wbox_notify.errors import Exit
from wbox_notify.rules import names
from wbox_notify.rules.json_schema import SettingsOfProject
from wbox_notify.rules.models.rules import RuleFile
from wbox_notify.rules.names import Names
from wbox_notify.templates import words
from wbox_notify.triggers.webhook.presets import PRESETS

_HEAD = """\
# The rule language

All keys of the files in `rules/`. This page is generated from the program.

* **Plain** values are literal: names, durations (`30s`, `10 dk`, `1h30m`, `2 days`), times (`"18:00"`).
* **Expressions** have no braces: `if`, `for_each`, `dedupe`, `throttle.key`, `group.by`, `unless`, `id`.
* **Templates** have `{{ … }}`: everything under `send`, and `to`.

Expressions and templates are Jinja2. An unknown name or field is an error. A key without a value is an
error too, but for the sections at the top of a file.

[The cookbook](cookbook.md) has rules for thirty tasks, [troubles.md](troubles.md) explains what begins and
ends, [reminders.md](reminders.md) how messages wait for a date, [schedules.md](schedules.md) how times are
written, [rows.md](rows.md) how tables are read.

## The way of an event

An event, or each item of its `for_each`, goes through the rule in this order; where it stops or waits, the
next stages do not see it.

| stage | what is good to know |
|---|---|
| `if` | It is asked once, when the event comes, with the `now` of that time, and not again for what waits \
below. The texts `false`, `no`, `off` and `0` as a result are an error; every other text counts as yes, also \
`n` and `null`, and an empty one as no. |
| `status` | see [troubles.md](troubles.md) |
| `remind` | What waits for its date goes on from here when it is due. |
| `dedupe` | `for` counts from the first event; a repeated one does not prolong it. What nobody is told of, \
because `throttle` drops it or its message fails, is not remembered. |
| `burst` | |
| `throttle` | It counts the last `per` before each event. The message with the number of the others comes \
when the oldest event that counts is older than `per`. |
| `group` | The first message comes after `wait`. A new one comes after `interval` since the last message, \
so at once if that is long ago. A member without a status is told once. |
| `digest` | An event at the very time of a digest is in the next one. If nothing came, nothing is sent. |
| `quiet_hours` | Those of the rule and those of the reader. Afterwards the texts that waited for a reader \
arrive as one, and what is over by then is left out. |
| `send`, `to` | A message is made when it is sent, also after quiet hours: `now` is the time then. After a \
group, a digest or a reminder, `to: duty` is whoever has the turn then. |
| `escalate` | `after` counts from the first message, not from the event. |

* The end of a trouble passes `dedupe` and `throttle` where it was told.
* `storm_guard` counts all messages that one event makes, of all rules together.
* A webhook that comes again with the same id is known as long as history is kept (`history`, 90 days).
* A turn of `on_call` before its `from` is that of the first.
"""
_SETTINGS_HEAD = """\
# The settings

All keys of `wbox-notify.yaml`, the file beside the folder `rules/`. All are optional. An environment
variable wins over the file. This page is generated from the program.

```yaml
{example}```

These variables have no key in the file:

| variable | description |
|---|---|
| `WBOX_API_KEY` | the API key itself; else systemd's credential `wbox_api_key`, else a file |
| `WBOX_SECRET_NAME` | the secret `name`, with `_` for `-`, if `secrets` has no such entry |
| `WBOX_DATA_DIR` | the data folder; else systemd's state folder, else that of the user |
| `WBOX_CONFIG` | the project folder of a command |
| `WBOX_LOG_LEVEL` | `debug`, `info`, `warning` or `error` |
"""
_JSON_HEAD = """\
# Commands for programs

Every command but `console` and `exec` takes `--json`. It prints one line on stdout; only `log`, `run`,
`send`, `pair`, `demo` and `test --watch` print a line for each event, message or change. An error is one
line on stderr, an [Error](#error).
Times are ISO 8601 with a zone; paths and phone numbers are whole. Later versions only add keys.
`wbox-notify schema output` prints all of this as JSON Schema, and this page is generated from it.

## Exit codes

| exit code | meaning |
|---|---|"""
_GALLERY_HEAD = """\
# The gallery

Thirty rules to begin with, each with its tests. A new project begins with one or several of them:

```console
wbox-notify init shop --from new-order --from low-stock
wbox-notify test
```

A project in Turkish gets them in Turkish, from the folders `tr`.

In a project that is there, copy the file into `rules/`. All send to `me`; change names, times and texts as
you like. The pictures show what the first test of a rule sends. This page is generated from the files."""
_KINDS = {
    "string": "text",
    "integer": "a number",
    "boolean": "`true` or `false`",
    "null": "nothing",
    "array": "a list",
    "object": "a map",
    "number": "a number",
}
_VALUES = """
### Numbers and times

* **Data is read** as people and programs write it: `"1.234,50 TL" | number`, `"29.11.2026 14:30" | datetime`,
  `"29 November 2026" | date` in the language of the project, ISO 8601, the date of a mail, seconds and
  milliseconds since 1970. Where a text could be two (`1.234`, `03/04/2026`), that language decides, or it
  is refused. A time without a zone is in that of the project.
* **A message shows** them in the language and the zone of its reader: `{{ row.total | number(2) }}`,
  `{{ row.total | currency('TRY') }}`, `{{ row.due | date('long') }}`.
* **They can be counted with**: `now + '1d'`, `(row.due | date) - now`, `(row.due | date) < now + '3d'`,
  `(row.total | number) * 1.2 > 100`. A difference of times is a duration, and shown as `2 hr 5 min`.
* `float` and `int` read what programs write, `1234.5`. What cannot be read is an error, unless a default
  says what to take instead: `| float(0)`, `| number(default=0)`."""
_TOP = {"", "a rule"}
_STAGES: tuple[tuple[str, Names], ...] = (
    ("with `status`, behind `if`", names.STATED),
    ("with `group`, in `to`, `unless` and `send`", names.GROUPED),
    ("with `digest`, in `send`", names.DIGESTED),
    ("with `remind`, in `to`, `unless` and `send`", names.REMINDED),
    ("`to`, `unless` and everything in `send`", names.LINKED),
    ("everything in `send`", names.READER),
    ("`escalate`", names.ANSWERED),
)


def reference() -> str:
    """Return the page of the rules."""
    return "\n".join([_HEAD, *_tables(RuleFile, examples()), *_names(), "", *_filters()])


def settings_reference() -> str:
    """Return the page of the settings."""
    example = Path(__file__).with_name("settings.yaml").read_text(encoding="utf-8")
    return "\n".join([_SETTINGS_HEAD.format(example=example), *_tables(SettingsOfProject, {})]).rstrip("\n")


def json_reference() -> str:
    """Return the page of what commands print for programs."""
    schema = output_schema()
    codes = [f"| {code.value} | {code.meaning} |" for code in Exit]
    lines = [_JSON_HEAD, *codes, "", "## What each command prints\n", "| command | prints |", "|---|---|"]
    lines += [f"| `{command}` | {_printed(part, schema)} |" for command, part in schema["properties"].items()]
    for name, shape in schema["$defs"].items():
        if shape["type"] == "object":
            lines += [
                "",
                f"## {name}",
                "",
                shape["description"],
                "",
                "| key | value | description |",
                "|---|---|---|",
            ]
            for key, part in shape["properties"].items():
                lines.append(f"| `{key}` | {_printed(part, schema)} | {part.get('description', '')} |")
    return "\n".join(lines)


def _printed(part: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return a value in words, with links to the shapes that it has."""
    if "anyOf" in part:
        return " or ".join(_printed(kind, schema) for kind in part["anyOf"])
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        words = schema["$defs"][name].get("enum")
        return _values(words) if words else f"[{name}](#{name.lower()})"
    below = part.get("items") or part.get("additionalProperties")
    if isinstance(below, dict):
        return f"{_word(part)}: {_printed(below, schema)}"
    return "a time" if part.get("format") == "date-time" else _word(part)


def _tables(model: type[Strict], written: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for path, part in models(model.model_json_schema()):
        name = path or "The file"
        yield from (f"## {name}\n", f"{part['description']}\n", *_table(part, written.get(name)), "")


def examples() -> dict[str, dict[str, str]]:
    """Return the example of each key as it is written, by the section of the key."""
    document = open_document(Path(__file__).with_name("examples.yaml"), "docs/examples.yaml")
    return {
        section: {key: document.source.lines[document.at(section, key).key.line - 1].strip() for key in keys}
        for section, keys in document.value.items()
    }


def models(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
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
                    below.append((_path(path, key), schema["$defs"][name]))
        if path in _TOP:
            waiting += below
        else:
            waiting[:0] = below


def _path(above: str, key: str) -> str:
    # A rule is what most of the page is about, so that its keys stand without `rules`.
    if key == "rules":
        return "a rule"
    if above in _TOP:
        return key
    return f"{above}.{key}"


def _refs(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for part in node:
            yield from _refs(part)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"].rpartition("/")[2]
        for part in node.values():
            yield from _refs(part)


def _table(model: Mapping[str, Any], written: Mapping[str, str] | None) -> Iterator[str]:
    columns = ["key", "value", "description", "default"]
    if written:
        columns.append("example")
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    required = model.get("required", ())
    for key, part in model["properties"].items():
        left_out = "required"
        if key not in required:
            left_out = _default(part.get("default"))
        cells = [f"`{key}`", _takes(part), part.get("description", ""), left_out]
        if written:
            cells.append(f"`{_cell(written[key])}`" if key in written else "")
        yield f"| {' | '.join(cells)} |"


def _takes(part: Mapping[str, Any]) -> str:
    kinds = part.get("anyOf") or [part]
    words = [_word(kind) for kind in kinds if kind != {"type": "null"}]
    return " or ".join(dict.fromkeys(filter(None, words)))


def _word(kind: Mapping[str, Any]) -> str:
    if "enum" in kind or "const" in kind:
        return _values(kind.get("enum") or [kind["const"]])
    if str(kind.get("title", "")).startswith("a "):
        return str(kind["title"])
    if "$ref" in kind:
        return "a map"
    return _KINDS.get(kind.get("type", ""), "anything")


def _default(value: Any) -> str:
    if isinstance(value, float):
        return f"`{duration_text(value)}`"
    if value in (None, []) or isinstance(value, dict):
        return ""
    return _values(as_list(value))


def _values(values: list[Any]) -> str:
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    return ", ".join(f"`{text}`" for text in texts)


def _names() -> Iterator[str]:
    yield "## Names\n"
    yield "The names that expressions and templates can use.\n"
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
    yield "| with `for_each` | the name of an item |"


def _filters() -> Iterator[str]:
    yield "## Filters and tests\n"
    yield "Those of [Jinja2](https://jinja.palletsprojects.com/templates/#builtin-filters) but for a few"
    yield "that are not safe, and these. In a pattern, write a backslash twice: `'\\\\d+'`."
    yield "A filter may be called: `len(x)` is `x | length`, `max(a, b)` is `[a, b] | max`; `now()` is `now`,"
    yield "and there is `timedelta(days=1)`."
    yield "A map has `x.get('name', default)`, `x.items()`, `x.keys()` and `x.values()`. What may be missing,"
    yield "or what it is a field of, gets a default, `body.a.b | default('-')`, or is asked for:"
    yield "`body.a.b is defined`.\n"
    yield "| written | effect |"
    yield "|---|---|"
    for written, function in words():
        yield f"| `{_cell(written)}` | {_cell(_first_line(function))} |"
    yield _VALUES


def _first_line(function: Callable[..., Any]) -> str:
    """Return the first line of a docstring, without `Return`."""
    return str(function.__doc__).partition("\n")[0].removeprefix("Return ").replace("``", "`").rstrip(".")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _listed(offered: Names) -> str:
    texts = []
    for name, fields in offered.items():
        text = f"`{name}`"
        if fields:
            text += f" ({', '.join(f'`{field}`' for field in sorted(fields))})"
        texts.append(text)
    return "; ".join(texts)


def gallery_reference() -> str:
    """Return the page of the gallery."""
    lines = [_GALLERY_HEAD]
    area = ""
    for name, path in gallery.names().items():
        if path.parent.name != area:
            area = path.parent.name
            lines.append(f"\n## {area.replace('-', ' ').capitalize()}\n")
        what = "\n".join(_comments(path)).replace("\n  ", "\n\n      ")
        lines.append(f"### {name}\n\n{what}\n\n[The rule](../examples/gallery/{area}/{name}.yaml)\n")
        lines.append(f"![{name}: the messages on the phone](gallery/{name}.png)\n")
    return "\n".join(lines).rstrip("\n")


def _comments(path: Path) -> Iterator[str]:
    """Yield the lines of the comment at the top of a file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return
        yield line.removeprefix("#").removeprefix(" ")


if __name__ == "__main__":
    for name, page in (
        ("gallery", gallery_reference()),
        ("rules", reference()),
        ("settings", settings_reference()),
        ("json", json_reference()),
    ):
        Path(__file__).with_name(f"{name}.md").write_text(f"{page}\n", encoding="utf-8")
