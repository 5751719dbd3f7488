"""A bucket of S3, or of what speaks like it, as the settings say it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from wbox_notify.config.values import as_public_url
from wbox_notify.errors import ConfigError

PREFIX = "wbox/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket, and who we are there.

    Attributes:
        name: What the bucket is called.
        endpoint: Where it is, without a path.
        region: The region that requests are signed for.
        key_id: Says who signs.
        secret: What signs.
        prefix: What the names of all our objects begin with.
    """

    name: str
    endpoint: str
    region: str
    key_id: str
    secret: str = field(repr=False)
    prefix: str = PREFIX


def _matching(pattern: str, hint: str, text: str) -> str:
    if not re.fullmatch(pattern, text):
        raise ConfigError("this cannot stand here", hint=hint)
    return text


def _endpoint(text: str) -> str:
    if urlsplit(url := as_public_url(text)).path:
        raise ConfigError("this address ends in a path", hint="the bucket stands under `name:`")
    return url


PARTS: Mapping[str, Callable[[str], str]] = {
    "name": partial(
        _matching,
        "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "the name of a bucket has 3 to 63 small letters, digits, `-` and `.`",
    ),
    "endpoint": _endpoint,
    "region": partial(_matching, "[A-Za-z0-9_-]{1,63}", "write it as eu-central-1, or auto"),
    "key_id": partial(_matching, "[A-Za-z0-9._-]{1,128}", "write the id of the key; its secret is elsewhere"),
    "prefix": partial(_matching, "([A-Za-z0-9_-][A-Za-z0-9._-]*/){0,9}", f"write it as {PREFIX}"),
}
"""What reads the text of each part but the secret."""
