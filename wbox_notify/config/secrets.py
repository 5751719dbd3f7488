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
from wbox_notify.config.yaml.validation import Strict, fit, wrong
from wbox_notify.errors import ConfigError
from wbox_notify.model.redaction import learn

_MOST_BYTES = 64 * 1024
_FOREIGN = "another user owns"


class SecretSpec(Strict):
    """The place of a secret: one of the two."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: str | None = Field(default=None, description="the variable that holds it")
    file: str | None = Field(default=None, description="the file that holds it")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise wrong("WBX324", "a secret is either in `env` or in a `file`", "write `{env: VARIABLE}`")
        return self


class Secrets:
    """The secrets that the settings declare, and those that are found without being declared.

    Attributes:
        found: All values known so far, by name.
        files: The files that hold declared ones, whether they can be read or not.
        problems: What is wrong with the entries.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.found: dict[str, str] = {}
        self.files: list[Path] = []
        self.problems: list[Problem] = []
        self._broken: set[str] = set()
        self._folder, self._environ = folder, environ

    def declare(self, section: Any, spot: Location) -> None:
        """Take in what the settings say under ``secrets``."""
        if isinstance(section, dict):
            for name, entry in section.items():
                self._declare(name, entry, spot.at(name))
        elif section is not None:
            self._report(
                spot, "WBX213", "`secrets` must be a map of keys and values", "write `NAME: {env: VARIABLE}`"
            )

    def _declare(self, name: str, entry: Any, spot: Location) -> None:
        if not SECRET_NAME.fullmatch(name):
            hint = "a name starts with a letter and has letters, digits, `-` and `_`"
            self._report(spot, "WBX215", "this cannot be the name of a secret", hint)
        elif isinstance(entry, dict):
            self._entry(name, entry, spot)
        else:
            hint = f"write `{name}: {{env: VARIABLE}}` or `{name}: {{file: PATH}}`"
            self._report(spot, "WBX325", "the value of a secret does not belong in this file", hint)
        if name not in self.found:
            self._broken.add(name)

    def find(self, name: str) -> str:
        """Return a secret: a declared one, WBOX_SECRET_NAME, or a credential of systemd with this name.

        Raises:
            ConfigError: there is none.
        """
        if name in self._broken:
            raise ConfigError(f"the secret `{name}` cannot be used: its own entry has a mistake")
        if name not in self.found:
            self._keep(name, self._undeclared(name))
        return self.found[name]

    def declared(self, name: str, spot: Location) -> str | None:
        """Return a secret that the settings declare; else that is a problem, which does not show the name."""
        if name not in self.found and name not in self._broken:
            hint = "write its name here, and `secrets: {NAME: {file: PATH}}` or `{env: VARIABLE}`"
            self._report(spot, "WBX324", "`secrets` has no entry of this name", hint)
        return self.found.get(name)

    def _keep(self, name: str, value: str) -> None:
        learn(value)
        self.found[name] = value

    def _undeclared(self, name: str) -> str:
        variable = f"WBOX_SECRET_{name.upper().replace('-', '_')}"
        if value := self._environ.get(variable):
            return value
        if value := self._credential(name):
            return value
        if is_like_a_token(name):
            hint = "write its name here, and the secret itself into a file or the environment"
            raise ConfigError("this is no name of a secret, and looks like one itself", hint=hint)
        hint = f"set {variable}, or write `secrets: {{{name}: {{file: PATH}}}}` into wbox-notify.yaml"
        raise ConfigError(f"there is no secret `{name}`", hint=hint)

    def _credential(self, name: str) -> str | None:
        """Return what systemd read for us under this name; our own user may not be able to."""
        credentials = self._environ.get("CREDENTIALS_DIRECTORY")
        path = Path(credentials or "", name)
        return _read(path)[0] if credentials and os.path.lexists(path) else None

    def _entry(self, name: str, entry: dict[str, Any], spot: Location) -> None:
        spec, problems = fit(SecretSpec, entry, spot)
        self.problems += map(_without_excerpt, problems)
        if spec is None:
            return
        try:
            if spec.file is None:
                self._keep(name, self._variable(spec.env or ""))
            else:
                path = as_path(spec.file, self._folder)
                self.files.append(path)
                self._keep(name, self._credential(name) or self._file(spec.file, path, spot.at("file")))
        except ConfigError as error:
            at = spot.at("env" if spec.file is None else "file")
            self.problems.append(at.problem("WBX324", str(error), hint=error.hint))

    def _variable(self, variable: str) -> str:
        if value := self._environ.get(variable):
            return value
        raise ConfigError(f"the variable {variable} is not set", hint="set it where the daemon is started")

    def _file(self, text: str, path: Path, spot: Location) -> str:
        value, status = _read(path)
        if flaw := exposed(status):
            message = f"{flaw} the secret in {text}"
            hint = f"{mending(flaw)} {path}"
            self.problems.append(spot.problem("WBX324", message, hint=hint, severity="warning"))
        return value

    def _report(self, spot: Location, code: str, message: str, hint: str) -> None:
        self.problems.append(_without_excerpt(spot.key_problem(code, message, hint=hint)))


class OutletBook:
    """The outlets that were found so far: ``found`` has the URL of each name."""

    def __init__(self, secrets: Secrets, found: Mapping[str, str] | None = None) -> None:
        self.found = dict(found or {})
        self._secrets = secrets

    def find(self, text: str) -> str:
        """Return the name of an outlet.

        Raises:
            ConfigError: there is none, or Apprise cannot use it; the words hold no secret.
        """
        name = name_of(text)
        if name not in self.found:
            url = text if is_url(text) else self._url_in(text)
            check(url)
            self.found[name] = url
        return name

    def _url_in(self, name: str) -> str:
        url = self._secrets.find(name).strip()
        if not is_url(url):
            raise ConfigError(
                f"the secret `{name}` is no Apprise URL", hint="it has to hold one: ntfy://TOPIC"
            )
        return url


def open_secret(text: str, spot: Location) -> Iterator[Problem]:
    """Yield a warning if a secret stands openly in the text of an outlet."""
    if not is_url(text) or not is_telling(text):
        return
    message = "this address may hold a password or a token, and everybody who can read this file sees it"
    hint = (
        "put it into a secret and write its name: `secrets: {ops-mail: {env: OPS_MAIL}}` in wbox-notify.yaml"
    )
    yield spot.problem("WBX336", message, hint=hint, severity="warning")


def decoded(content: bytes) -> str:
    """Return the secret in a file as editors save it: with a mark before it, in UTF-16, with a line end.

    Blanks at its end are no part of it.

    Raises:
        UnicodeDecodeError: it is no text.
    """
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_wide else "utf-8-sig").rstrip()


def exposed(status: os.stat_result) -> str | None:
    """Return who but us can get at a file with a secret, as the beginning of a sentence; None for nobody."""
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_mode & stat.S_IROTH:
        return "everybody on this machine can read"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others can change"
    if status.st_uid not in {0, os.geteuid()}:
        return _FOREIGN
    # A group of root's choice is a way to hand a secret to one service; anybody else's group is an accident.
    return "a group can read" if status.st_uid and status.st_mode & stat.S_IRGRP else None


def mending(flaw: str) -> str:
    """Return the command that mends what ``exposed`` found, without the path."""
    return "chown $USER" if flaw == _FOREIGN else "chmod 600"


def _without_excerpt(problem: Problem) -> Problem:
    """Return a problem that does not show the line, which may hold the secret itself."""
    return replace(problem, excerpt=())


def _read(path: Path) -> tuple[str, os.stat_result]:
    """Return what a file holds, and whose it is."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            content = stream.read(_MOST_BYTES + 1)
        value = decoded(content)
    except UnicodeDecodeError:
        raise ConfigError(f"the file {path} is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"the file {path} cannot be read: {reason}") from None
    if not value or len(content) > _MOST_BYTES:
        raise ConfigError(f"the file {path} is {'too large' if value else 'empty'}")
    return value, status
