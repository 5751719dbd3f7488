"""JSON Schema of rule files and settings, made of the models, for editors."""

from typing import Any

from pydantic import Field, create_model

from wbox_notify.config.settings import SettingsFile
from wbox_notify.config.yaml.validation import Strict
from wbox_notify.rules.models.people import Contacts, Groups, Turns, WindowsByName
from wbox_notify.rules.models.rules import RuleFile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"

# The settings do not know the shape of people, which is part of the rules.
SettingsOfProject = create_model(
    "Settings",
    __base__=SettingsFile,
    __doc__=SettingsFile.__doc__,
    contacts=(Contacts, Field(default={}, description="people by name, as in a rule file")),
    groups=(Groups, Field(default={}, description="lists of people by name, as in a rule file")),
    on_call=(Turns, Field(default={}, description="on-call rotations, as in a rule file")),
    time_windows=(WindowsByName, Field(default={}, description="windows of time by name, as in a rule file")),
)


def rule_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a rule file."""
    return _schema(RuleFile, "A rule file of wbox-notify")


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``wbox-notify.yaml``."""
    return _schema(SettingsOfProject, "The settings of wbox-notify")


def _schema(model: type[Strict], title: str) -> dict[str, Any]:
    return {"$schema": _DIALECT, "title": title, **_plain(model.model_json_schema())}


def _plain(node: Any) -> Any:
    """Return a part of a schema without titles, and without the null that stands for a key left out."""
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, dict):
        return node
    plain: dict[str, Any] = {}
    for name, value in node.items():
        if name in {"properties", "$defs"}:
            # Their keys are names of the language, of which one may be `title`.
            plain[name] = {key: _plain(part) for key, part in value.items()}
        elif name != "title":
            plain[name] = _plain(value)
    if plain.get("default", "") is None:
        del plain["default"]
        plain |= _without_null(plain.pop("anyOf", []))
    return plain


def _without_null(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    rest = [kind for kind in kinds if kind != {"type": "null"}]
    if len(rest) == 1:
        return rest[0]
    return {"anyOf": rest} if rest else {}
