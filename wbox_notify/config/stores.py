"""The address of a store: a file of SQLite, or a database of a PostgreSQL server."""

import re
from importlib.util import find_spec
from pathlib import Path

from wbox_notify.errors import ConfigError
from wbox_notify.model.texts import Wording

BEFORE_UPGRADE = ".before-upgrade"
"""The end of the name of the file with a store as it was before its tables were last brought up to date."""

_SERVER = re.compile(r"postgres(?:ql)?://(?:(?P<user>[^@/?#]*)@)?[^#\s]*")
_PASSWORD = re.compile(r"[?&]password=", re.IGNORECASE)
_INSTALL = "pip install 'psycopg[binary,pool]>=3.2,<4'"
_LIBRARIES = ("psycopg", "psycopg_pool")


def is_on_server(address: str) -> bool:
    """Return whether the address is of a PostgreSQL server."""
    return address.startswith(("postgres://", "postgresql://"))


def file_of(address: str) -> Path | None:
    """Return the file of a store, or None where a server has it."""
    return None if is_on_server(address) else Path(address.removeprefix("sqlite:///"))


def on_server(address: str) -> str:
    """Return the address of a store on a server, as PostgreSQL writes it, which holds no secret.

    Raises:
        ConfigError: it is none, holds a password, or nobody here speaks with PostgreSQL.
    """
    match = _SERVER.fullmatch(address)
    if not match:
        raise ConfigError(
            Wording("this is not the address of a store"),
            hint="write it as postgresql://HOST/DATABASE?user=NAME",
        )
    if ":" in (match["user"] or "") or _PASSWORD.search(address):
        raise ConfigError(
            Wording("the password does not belong in the address of the store, which others can read"),
            hint=Wording(
                "write {line} into a file that you alone can read, and name it in PGPASSFILE",
                line="`host:port:database:user:password`",
            ),
        )
    if not all(map(find_spec, _LIBRARIES)):
        raise ConfigError(
            Wording("PostgreSQL needs a library that is not installed"),
            hint=Wording("in the environment of wbox-notify: {command}", command=_INSTALL),
        )
    return f"postgresql://{address.partition('://')[2]}"
