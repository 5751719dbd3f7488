"""Redaction: what is shown or logged holds none of the secrets that this process has read."""

import json
import re
from urllib.parse import quote

SHORTEST = 6
"""A secret of fewer characters stays: without them a line would tell by its gaps what is missing."""

_LIKE_A_KEY = r"(?<![^\W_])sk_[\w-]+"


class Redaction:
    """The secrets that are known so far, in each way that text may write them."""

    def __init__(self) -> None:
        self._written: set[str] = set()
        self._pattern = re.compile(_LIKE_A_KEY)

    def learn(self, secret: str) -> None:
        """Hide a secret from now on."""
        is_short = len(secret) < SHORTEST and not secret.startswith("sk_")
        if is_short or secret in self._written:
            return
        escaped = (repr(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
        self._written |= {secret, secret.strip() or secret, quote(secret, safe=""), *escaped}
        # The longest first: one secret may begin another.
        known = map(re.escape, sorted(self._written, key=len, reverse=True))
        self._pattern = re.compile("|".join((*known, _LIKE_A_KEY)))

    def redacted(self, text: str) -> str:
        """Return text with ``***`` in place of each secret, and of what looks like a key of wbox."""
        return self._pattern.sub(lambda found: "sk_***" if found[0].startswith("sk_") else "***", text)


# One for the process, as logging is: who logs does not know which secrets there are.
_redaction = Redaction()
learn = _redaction.learn
redacted = _redaction.redacted
