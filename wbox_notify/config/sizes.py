"""Sizes as people write them, such as ``10MB``."""

import re
from fractions import Fraction

from wbox_notify.errors import ConfigError

_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([KMGT]?)(?:I?B)?")


def parse_size(text: object) -> int:
    """Return the bytes of a size: ``10MB``, ``1.5 GiB``, ``500``; 1 kB and 1 KiB are 1024 bytes.

    Raises:
        ConfigError: it is none.
    """
    found = _SIZE.fullmatch(text.strip().upper()) if isinstance(text, str) else None
    if not found:
        raise ConfigError(f"`{text}` is not a size", hint="write it like 500, 200kB, 10MB or 1.5GB")
    return int(Fraction(found[1]) * 1024 ** _POWERS[found[2]])
