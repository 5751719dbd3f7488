"""Links to pages that do one thing, with the key that they are signed with."""

from dataclasses import dataclass, field

from wbox_notify.model import signed_links

ACK = "ack"
"""The kind of link that acknowledges; its value is the rule, ``\\x1f`` and the key of what happened."""

RELEASE = "release"
"""The kind of link that lets go what the storm guard holds; its value is the id of the event."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads links; the key is random and at least 16 bytes long."""

    key: bytes = field(repr=False)

    def sign(self, kind: str, value: str) -> str:
        """Return what stands after ``/ack/`` in the address of a link."""
        return signed_links.token(self.key, kind, value)

    def read(self, token: str) -> tuple[str, str] | None:
        """Return the kind and the value of a link, or None where we did not make it."""
        return signed_links.read(self.key, token)
