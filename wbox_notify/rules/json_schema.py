"""Schema: the language as JSON Schema, for editors; the loader itself says more, and says it better."""

from typing import Any

from pydantic import Field

from wbox_notify.config.spec import SettingsFile
from wbox_notify.config.yaml.validation import Strict
from wbox_notify.rules.models import Contacts, Groups, RuleFile, Turns, WindowsByName

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NULL = {"type": "null"}


class _Settings(SettingsFile):
    """The settings of a project."""

    # The settings do not know the shape of people, which is part of the rules.
    contacts: Contacts = Field(default={}, description="people by name, as in a rule file")
    groups: Groups = Field(default={}, description="lists of people by name, as in a rule file")
    on_call: Turns = Field(default={}, description="who takes turns, as in a rule file")
    time_windows: WindowsByName = Field(default={}, description="windows of time by name, as in a rule file")


def rule_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a rule file."""
    return _schema(RuleFile, "A rule file of wbox-notify")


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``wbox-notify.yaml``."""
    return _schema(_Settings, "The settings of wbox-notify")


def _schema(model: type[Strict], title: str) -> dict[str, Any]:
    found: dict[str, Any] = _plain(model.model_json_schema())
    return {"$schema": _DIALECT, "title": title, **found}


def _plain(node: Any) -> Any:
    """Return a part of a schema without titles, and without the null that stands for a key left out."""
    if isinstance(node, list):
        return [_plain(part) for part in node]
    if not isinstance(node, dict):
        return node
    plain = {
        name: {key: _plain(part) for key, part in value.items()}
        if name in {"properties", "$defs"}
        else _plain(value)
        for name, value in node.items()
        if name != "title" and not (name == "default" and value is None)
    }
    if "default" in node and node["default"] is None:
        kinds = [kind for kind in plain.pop("anyOf", ()) if kind != _NULL]
        plain |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    return plain
