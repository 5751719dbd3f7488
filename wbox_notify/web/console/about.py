"""The page about the daemon itself: versions, addresses, and the settings with the place of each."""

import platform
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wbox_notify import __version__
from wbox_notify.config.settings import SETTINGS, Settings
from wbox_notify.config.values import duration_text
from wbox_notify.model.redaction import redacted
from wbox_notify.model.texts import told
from wbox_notify.rules.json_schema import rule_schema, settings_schema
from wbox_notify.web.console.console import Console

_SIZES = {"quota", "image", "video", "audio", "document"}
_PARTS = ("starlette", "uvicorn", "jinja2", "pydantic", "requests", "apprise")


def routes(console: Console) -> list[Route]:
    """Return the routes of the page and of the JSON Schemas."""

    def show(request: Request) -> Response:
        return console.page(request, "about.html", model(console, console.lang(request)))

    def rules(_request: Request) -> Response:
        return JSONResponse(rule_schema())

    def settings(_request: Request) -> Response:
        return JSONResponse(settings_schema())

    return [
        Route("/about/rules.schema.json", console.inside(rules)),
        Route("/about/settings.schema.json", console.inside(settings)),
        *console.get("/about", show),
    ]


def model(console: Console, lang: str) -> dict[str, Any]:
    """Return what the page shows."""
    settings = console.live.project.settings
    return {
        "versions": {
            "wbox-notify": __version__,
            "Python": platform.python_version(),
            "SQLite": sqlite3.sqlite_version,
            **{part: version(part) for part in _PARTS},
        },
        "folder": str(settings.folder),
        "data_dir": str(settings.data_dir),
        "has_key": settings.api_key is not None,
        "settings": [
            {
                "key": setting.key,
                "value": redacted(_shown(name, settings)),
                "source": settings.sources.get(name, "default"),
                "variable": setting.variable,
                "text": told(setting.text, lang),
            }
            for name, setting in SETTINGS.items()
        ],
    }


def _shown(name: str, settings: Settings) -> str:
    """Return the value of a setting for a person."""
    value = getattr(settings, name)
    match name:
        case "listen":
            return f"{value[0]}:{value[1]}"
        case "body":
            return _size(value)
        case "history":
            return "never" if value is None else duration_text(value)
        case "media":
            return _parts(value.model_dump(exclude_none=True))
        case "pace":
            return _parts(asdict(value))
    return _plain(value)


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parts(values: Mapping[str, Any], above: str = "") -> str:
    """Return the parts of a value, without those that are secret."""
    shown = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            shown.append(_parts(value, f"{above}{name}."))
        elif name in {"secret", "key_id"}:
            shown.append(f"{above}{name} ***")
        elif name in _SIZES:
            shown.append(f"{above}{name} {_size(value)}")
        elif name != "lang":
            shown.append(f"{above}{name} {value:g}" if isinstance(value, float) else f"{above}{name} {value}")
    return ", ".join(shown)


def _size(number: int) -> str:
    """Return a number of bytes as the settings write it."""
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if number % size == 0:
            return f"{number // size}{unit}"
    return str(number)
