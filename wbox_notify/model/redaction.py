"""Redaction of known secrets and of wbox keys in texts that are shown or logged."""

import json
import re
from urllib.parse import quote

SHORTEST = 6
"""A shorter secret is not redacted: the gaps would reveal it."""

_LIKE_A_KEY = r"(?<![^\W_])sk_[\w-]+"


class Redaction:
    """The known secrets, in each form that a text may contain."""

    def __init__(self) -> None:
        self._written: set[str] = set()
        self._pattern = re.compile(_LIKE_A_KEY)

    def learn(self, secret: str) -> None:
        """Redact a secret from now on."""
        is_short = len(secret) < SHORTEST and not secret.startswith("sk_")
        if is_short or secret in self._written:
            return
        escaped = (repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
        self._written |= {secret, secret.strip() or secret, quote(secret, safe=""), *escaped}
        # The longest first: one secret may begin another.
        known = map(re.escape, sorted(self._written, key=len, reverse=True))
        self._pattern = re.compile("|".join((*known, _LIKE_A_KEY)))

    def redacted(self, text: str) -> str:
        """Return text with ``***`` in place of each secret, and ``sk_***`` in place of each wbox key."""
        return self._pattern.sub(lambda found: "sk_***" if found[0].startswith("sk_") else "***", text)


# One for the process, as logging is: the code that logs does not know the secrets.
_redaction = Redaction()
learn = _redaction.learn
redacted = _redaction.redacted
