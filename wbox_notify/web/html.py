"""What all our pages do: their templates, the headers that keep them safe, the language they speak."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send


def with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    """Return a ``send`` that adds headers to an answer which does not set them itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            found = MutableHeaders(scope=message)
            for name, value in headers.items():
                found.setdefault(name, value)
        await send(message)

    return sending


def page_templates(folder: Path) -> Environment:
    """Return the templates of pages in a folder: what is put in is escaped, and a name must be there."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def wants_turkish(accept_language: str) -> bool:
    """Return whether a browser ranks Turkish above English."""
    return _wish(accept_language, "tr") > _wish(accept_language, "en")


def _wish(accept_language: str, language: str) -> float:
    """Return how much a language is wanted, 0 if it is not."""
    weights = [0.0]
    for part in accept_language.lower().replace(" ", "").split(","):
        tag, _, weight = part.partition(";q=")
        if tag.partition("-")[0] == language:
            weights.append(_number(weight or "1"))
    return max(weights)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
