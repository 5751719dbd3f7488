"""Secrets and outlets by name; their values are in no message."""

import codecs
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from wbox_notify.clients.apprise import check, is_telling, is_url, name_of
from wbox_notify.config.fields import SECRET_NAME
from wbox_notify.config.values import as_path
from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.masking import is_like_a_token
from wbox_notify.config.yaml.problems import Problem
from wbox_notify.config.yaml.validation import Strict, invalid, validate
from wbox_notify.errors import ConfigError
from wbox_notify.model.redaction import learn
from wbox_notify.model.texts import Wording, problem_of

_MOST_BYTES = 64 * 1024
_VARIABLE = "WBOX_SECRET_"
"""What the name of a variable begins with that holds a secret, without an entry in the settings."""


class SecretSpec(Strict):
    """The place of a secret: one of the two."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: str | None = Field(default=None, description="the variable that holds it")
    file: str | None = Field(default=None, description="the file that holds it")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise invalid("WBX324", "a secret is either in `env` or in a `file`", "write `{env: VARIABLE}`")
        return self


class Secrets:
    """The secrets of a project: those that the settings declare, and others in the environment.

    Attributes:
        values: All values known so far, by name.
        files: The files of declared secrets, readable or not.
        problems: Mistakes in the entries.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.values: dict[str, str] = {}
        self.files: list[Path] = []
        self.problems: list[Problem] = []
        self._broken: set[str] = set()
        self._folder, self._environ = folder, environ
        for name, value in environ.items():
            if name.startswith(_VARIABLE):  # a command that reads no rules has to hide it too
                learn(value)

    @property
    def names(self) -> frozenset[str]:
        """The names of the known secrets, but for one that is a secret by mistake."""
        return frozenset(self.values) - frozenset(self.values.values())

    def declare(self, section: Any, location: Location) -> None:
        """Add the entries under ``secrets`` in the settings."""
        if isinstance(section, dict):
            for name, entry in section.items():
                self._declare(name, entry, location.at(name))
        elif section is not None:
            self._report(
                location,
                "WBX213",
                "`secrets` must be a map of keys and values",
                "write `NAME: {env: VARIABLE}`",
            )

    def _declare(self, name: str, entry: Any, location: Location) -> None:
        if not SECRET_NAME.fullmatch(name):
            hint = "a name starts with a letter and has letters, digits, `-` and `_`"
            self._report(location, "WBX215", "invalid name of a secret", hint)
        elif isinstance(entry, dict):
            self._entry(name, entry, location)
        else:
            hint = Wording("write `{name}: {{env: VARIABLE}}` or `{name}: {{file: PATH}}`", name=name)
            self._report(location, "WBX325", "the value of a secret does not belong in this file", hint)
        if name not in self.values:
            self._broken.add(name)

    def find(self, name: str) -> str:
        """Return a secret: a declared one, WBOX_SECRET_NAME, or a credential of systemd with this name.

        Raises:
            ConfigError: there is none.
        """
        if name in self._broken:
            raise ConfigError(
                Wording("the secret `{name}` cannot be used: its entry has an error", name=name)
            )
        if name not in self.values:
            self._keep(name, self._undeclared(name))
        return self.values[name]

    def declared(self, name: str, location: Location) -> str | None:
        """Return a declared secret; else report a problem, without the name, and return None."""
        if name not in self.values and name not in self._broken:
            hint = "write its name here, and `secrets: {NAME: {file: PATH}}` or `{env: VARIABLE}`"
            self._report(location, "WBX324", "`secrets` has no entry of this name", hint)
        return self.values.get(name)

    def _keep(self, name: str, value: str) -> None:
        learn(value)
        self.values[name] = value

    def _undeclared(self, name: str) -> str:
        variable = f"{_VARIABLE}{name.upper().replace('-', '_')}"
        value = self._environ.get(variable) or self._credential(name)
        if value:
            return value
        if is_like_a_token(name):
            hint = "write its name here, and the secret itself into a file or the environment"
            raise ConfigError("this is not the name of a secret, and looks like a secret itself", hint=hint)
        hint = Wording(
            "set {variable}, or write `secrets: {{{name}: {{file: PATH}}}}` into wbox-notify.yaml",
            variable=variable,
            name=name,
        )
        raise ConfigError(Wording("there is no secret `{name}`", name=name), hint=hint)

    def _credential(self, name: str) -> str | None:
        """Return a credential that systemd has read, also where our user may not read its file."""
        credentials = self._environ.get("CREDENTIALS_DIRECTORY")
        if not credentials:
            return None
        path = Path(credentials, name)
        return _read(path)[0] if os.path.lexists(path) else None

    def _entry(self, name: str, entry: dict[str, Any], location: Location) -> None:
        spec, problems = validate(SecretSpec, entry, location)
        self.problems += map(_without_excerpt, problems)
        if spec is None:
            return
        at = location.at("env" if spec.file is None else "file")
        try:
            if spec.file is None:
                self._keep(name, self._variable(spec.env or ""))
            else:
                path = as_path(spec.file, self._folder)
                self.files.append(path)
                self._keep(name, self._credential(name) or self._file(spec.file, path, at))
        except ConfigError as error:
            self.problems.append(at.problem("WBX324", problem_of(error), hint=error.hint))

    def _variable(self, variable: str) -> str:
        value = self._environ.get(variable)
        if not value:
            hint = "set it where the daemon is started"
            raise ConfigError(Wording("the variable {variable} is not set", variable=variable), hint=hint)
        return value

    def _file(self, text: str, path: Path, location: Location) -> str:
        value, status = _read(path)
        if warning := exposure(status, Wording("the secret in {text}", text=text), path):
            message, hint = warning
            self.problems.append(location.warning("WBX324", message, hint))
        return value

    def _report(self, location: Location, code: str, message: str, hint: str) -> None:
        self.problems.append(_without_excerpt(location.key_problem(code, message, hint=hint)))


class OutletBook:
    """Outlets by name, each an Apprise URL as it is written or one that a secret holds."""

    def __init__(self, secrets: Secrets, urls: Mapping[str, str] | None = None) -> None:
        self.urls = dict(urls or {})
        self._secrets = secrets

    def find(self, text: str) -> str:
        """Return the name of an outlet.

        Raises:
            ConfigError: there is none, or Apprise cannot use it; its message holds no secret.
        """
        name = name_of(text)
        if name not in self.urls:
            url = text if is_url(text) else self._url_in(text)
            check(url)
            self.urls[name] = url
        return name

    def _url_in(self, name: str) -> str:
        url = self._secrets.find(name).strip()
        if not is_url(url):
            raise ConfigError(
                Wording("the secret `{name}` is not an Apprise URL", name=name),
                hint="it must be one: ntfy://TOPIC",
            )
        return url


def open_secret(text: str, location: Location) -> Iterator[Problem]:
    """Yield a warning if the text of an outlet shows a secret."""
    if not is_url(text) or not is_telling(text):
        return
    message = "this address may hold a password or a token, and everybody who can read this file sees it"
    hint = (
        "put it into a secret and write its name: `secrets: {ops-mail: {env: OPS_MAIL}}` in wbox-notify.yaml"
    )
    yield location.warning("WBX336", message, hint)


def read_secret(path: Path, name: str) -> tuple[str, os.stat_result]:
    """Return the secret in a file, which messages call ``name``, and the status of the file.

    Editors may save it in UTF-16 or with a byte order mark. Blanks at its end are no part of it.

    Raises:
        ConfigError: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            content = stream.read(_MOST_BYTES + 1)
        encoding = "utf-8-sig"
        if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        value = content.decode(encoding).rstrip()
    except UnicodeDecodeError:
        raise ConfigError(Wording("{name} is not UTF-8 text", name=name)) from None
    except OSError as error:
        raise ConfigError(
            Wording("{name} cannot be read: {reason}", name=name, reason=error.strerror)
        ) from None
    except ValueError as error:
        raise ConfigError(Wording("{name} cannot be read: {error}", name=name, error=error)) from None
    if len(content) > _MOST_BYTES:
        raise ConfigError(Wording("{name} is too large", name=name))
    return value, status


def exposure(status: os.stat_result, name: str, path: Path) -> tuple[str, str] | None:
    """Return who else can access a secret file and the command against that; None if nobody can."""
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        return None
    if mode & stat.S_IROTH:
        access = Wording("everybody on this machine can read {name}", name=name)
    elif mode & (stat.S_IWGRP | stat.S_IWOTH):
        access = Wording("others can change {name}", name=name)
    elif status.st_uid not in {0, os.geteuid()}:
        return Wording("another user owns {path}", path=name), f"chown $USER {path}"
    # A group of root's choice is a way to hand a secret to one service; anybody else's group is an accident.
    elif status.st_uid and mode & stat.S_IRGRP:
        access = Wording("a group can read {name}", name=name)
    else:
        return None
    return access, f"chmod 600 {path}"


def _without_excerpt(problem: Problem) -> Problem:
    """Return a problem without its line, which may hold the secret itself."""
    return replace(problem, excerpt=())


def _read(path: Path) -> tuple[str, os.stat_result]:
    value, status = read_secret(path, f"the file {path}")
    if not value:
        raise ConfigError(Wording("the file {path} is empty", path=path))
    return value, status
