"""The settings of a project folder, read from ``wbox-notify.yaml`` and the environment, which wins."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import TypeAdapter, ValidationError

from wbox_notify.config.media import Bucket, Media
from wbox_notify.config.own import own
from wbox_notify.config.secrets import OutletBook, Secrets, exposure, open_secret, read_secret
from wbox_notify.config.settings import FILE, SETTINGS, Settings, SettingsFile
from wbox_notify.config.values import as_path, plain, system_zone
from wbox_notify.config.yaml.document import Document, Location, open_document, parse
from wbox_notify.config.yaml.problems import Problem, Severity
from wbox_notify.config.yaml.validation import Context, validate_rest
from wbox_notify.errors import ConfigError
from wbox_notify.model.addresses import is_in_the_clear
from wbox_notify.model.redaction import learn
from wbox_notify.model.texts import Wording, problem_of, worded

ENVIRONMENT = "environment"
"""What problems call the environment."""

_KEY = re.compile(r"sk_[!-~]+")
_CREDENTIALS = "CREDENTIALS_DIRECTORY"

Origin = Location | str
"""The place of a value: one in the file, or the name of a variable."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings of a project folder, their file, which may hold contacts too, and all problems.

    ``secrets`` finds undeclared ones too.
    """

    settings: Settings
    document: Document
    problems: tuple[Problem, ...]
    secrets: Secrets


def read(folder: Path, environ: Mapping[str, str], copy: Path | None = None) -> Setup:
    """Return the settings of a project folder; a wrong one is a problem, and its default stays.

    With ``copy`` their file is read from there.
    """
    path = (copy or folder) / FILE
    document = parse(b"", FILE)
    if os.path.lexists(path):
        document = open_document(path, FILE)
    reading = _Reading(plain(folder), environ, document)
    settings = reading.settings()
    problems = (*reading.problems, *reading.secrets.problems)
    return Setup(settings, document, problems, reading.secrets)


def checked_key(text: str) -> str:
    """Return a text that is like a wbox key, which is redacted from now on; else raise ConfigError."""
    if not _KEY.fullmatch(text):
        problem = "this is not a wbox key: one starts with sk_ and has no spaces"
        raise ConfigError(problem, hint="copy it again from wbox: Settings > API Access")
    learn(text)
    return text


class _Reading:
    """One reading of both sources.

    Attributes:
        file: The settings of the file or their defaults, by their names in ``Settings``.
        variables: Those of the environment.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], document: Document) -> None:
        self.folder = folder
        self.environ = environ
        self.document = document
        self.problems = list(document.problems)
        self.secrets = Secrets(folder, environ)
        self.outlets = OutletBook(self.secrets)
        value = {} if document.value is None else document.value
        if isinstance(value, dict):
            self.secrets.declare(value.get("secrets"), document.at("secrets"))

        self.variables: dict[str, Any] = {}
        self._read_variable("insecure", Context(folder, is_variable=True))
        insecure = self.variables.get("insecure", document.at("wbox", "insecure").value is True)
        context = Context(folder, insecure)
        for name in SETTINGS:
            if name != "insecure":
                self._read_variable(name, context._replace(is_variable=True))
        model, problems = validate_rest(SettingsFile, value, document.at(), context)
        self.problems += problems
        self.file: dict[str, Any] = {
            name: reduce(getattr, setting.key.split("."), model) for name, setting in SETTINGS.items()
        }

    def _read_variable(self, name: str, context: Context) -> None:
        setting = SETTINGS[name]
        text = self.environ.get(setting.variable or "", "").strip()
        if not text:
            return
        try:
            self.variables[name] = TypeAdapter(setting.kind).validate_python(text, context=context)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]["ctx"]
            self._report(str(setting.variable), "WBX320", problem["message"], problem["hint"])

    def settings(self) -> Settings:
        # The variable of the key file is relative to another folder: `_key` minds it.
        chosen = self.file | self.variables | {"api_key_file": self.file["api_key_file"]}
        data_dir = self._data_dir()
        chosen["store"] = chosen["store"] or f"sqlite:///{data_dir}/wbox-notify.db"
        chosen["tz"] = chosen["tz"] or system_zone(self.environ)
        chosen["pace"] = replace(chosen["pace"], lang=chosen["lang"])
        if chosen["backlog"] is not None:
            chosen["pace"] = replace(chosen["pace"], backlog=chosen["backlog"])
        chosen["media"] = self._media()
        chosen["fallback"] = self._fallback()
        self._warn_of_open_links()
        return Settings(
            **chosen,
            folder=self.folder,
            api_key=self._key(),
            data_dir=data_dir,
            outlets=self.outlets.urls,
            secrets=dict(self.secrets.values),
            own=own(self.folder, data_dir, chosen["store"], self._keys()),
            sources=dict(self._sources()),
        )

    def _sources(self) -> Iterator[tuple[str, str]]:
        """Yield the names of the settings that are given, each with where."""
        for name, setting in SETTINGS.items():
            location = self.document.at(*setting.key.split("."))
            if name in self.variables:
                yield name, "environment"
            elif location.steps == location.path and location.value is not None:
                yield name, "file"

    def _warn_of_open_links(self) -> None:
        """Warn of addresses without TLS that others get."""
        static = self.file["media"].static
        for url, origin in (
            (self.file["public_url"], self.document.at("public_url")),
            (self.variables.get("public_url"), "WBOX_PUBLIC_URL"),
            (static and static.url, self.document.at("media", "static", "url")),
        ):
            if url and is_in_the_clear(url):
                message = "over http:// anybody on the network can read links and their pages"
                self._report(origin, "WBX363", message, "write https://", "warning")

    def _media(self) -> Media:
        media: Media = self.file["media"]
        return media.model_copy(update={"bucket": self._bucket(media.bucket)})

    def _bucket(self, bucket: Bucket | None) -> Bucket | None:
        """Return the bucket with the value of its secret in place of the name."""
        location = self.document.at("media", "bucket")
        is_given = location.steps == location.path and isinstance(location.value, dict)
        if is_given and not find_spec("minio"):
            hint = "pip install 'minio>=7.2.20,<8' in the environment of the daemon"
            self._report(location, "WBX343", "a bucket needs a library that is not installed", hint)
            return None
        if bucket is None:
            return None
        secret = self.secrets.declared(bucket.secret, location.at("secret"))
        if not secret:
            return None
        return bucket.model_copy(update={"secret": secret})

    def _fallback(self) -> tuple[str, ...]:
        """Return the names of the outlets in the variable, else of those in the file."""
        location = self.document.at("fallback")
        locations = [location] if location.steps else []
        if locations and isinstance(location.value, list):
            locations = [location.at(index) for index in range(len(location.value))]
        outlets = self._outlets(
            (location.value, location) for location in locations if isinstance(location.value, str)
        )
        variable = "WBOX_FALLBACK"
        return self._outlets((text, variable) for text in self.variables.get("fallback", ())) or outlets

    def _outlets(self, texts: Iterable[tuple[str, Origin]]) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for text, origin in texts:
            try:
                names[self.outlets.find(text)] = None
                if isinstance(origin, Location):
                    self.problems += open_secret(text, origin)
            except ConfigError as error:
                self._report(origin, "WBX329", problem_of(error), error.hint)
        return tuple(names)

    def _data_dir(self) -> Path:
        if text := self.environ.get("WBOX_DATA_DIR", "").strip():
            try:
                return as_path(text, Path.cwd())
            except ConfigError as error:
                self._report("WBOX_DATA_DIR", "WBX320", problem_of(error), error.hint)
        state = self.environ.get("STATE_DIRECTORY", "").split(":")[0]
        return plain(Path(state or platformdirs.user_data_dir("wbox-notify", appauthor=False)))

    def _key(self) -> str | None:
        if literal := self.environ.get("WBOX_API_KEY", "").strip():
            return self._checked(literal, "WBOX_API_KEY")
        for text, origin in self._key_files():
            return self._key_in(text, origin)
        return None

    def _key_files(self) -> Iterator[tuple[str, Origin]]:
        if path := self.variables.get("api_key_file"):
            yield path, "WBOX_API_KEY_FILE"
        if credentials := self.environ.get(_CREDENTIALS):
            path = os.path.join(credentials, "wbox_api_key")  # noqa: PTH118 - it is text until it is checked
            if os.path.lexists(path):
                yield path, _CREDENTIALS
        if path := self.file["api_key_file"]:
            yield path, self.document.at("wbox", "api_key_file")

    def _keys(self) -> Iterator[Path]:
        """Yield all files and folders with a key or a secret, used or not."""
        yield from self.secrets.files
        if credentials := self.environ.get(_CREDENTIALS):
            yield Path(credentials)
        for text, origin in self._key_files():
            with suppress(ConfigError):
                yield self._path(text, origin)

    def _path(self, text: str, origin: Origin) -> Path:
        return as_path(text, self.folder if isinstance(origin, Location) else Path.cwd())

    def _key_in(self, text: str, origin: Origin) -> str | None:
        name = Wording("the key file {text}", text=text)
        try:
            path = self._path(text, origin)
        except ConfigError as error:
            self._report(
                origin,
                "WBX322",
                Wording("{name} cannot be read: {error}", name=name, error=problem_of(error)),
                None,
            )
            return None
        try:
            key, status = read_secret(path, name)
        except ConfigError as error:
            self._report(origin, "WBX322", problem_of(error), None)
            return None
        warning = exposure(status, name, path)
        if warning and origin != _CREDENTIALS:
            self._report(origin, "WBX322", *warning, "warning")
        return self._checked(key.strip(), origin)

    def _checked(self, key: str, origin: Origin) -> str | None:
        try:
            return checked_key(key)
        except ConfigError as error:
            self._report(origin, "WBX323", problem_of(error), error.hint)
            return None

    def _report(
        self, origin: Origin, code: str, message: str, hint: str | None, severity: Severity = "error"
    ) -> None:
        if isinstance(origin, Location):
            self.problems.append(origin.problem(code, message, hint=hint, severity=severity))
        else:
            message = Wording("{origin}: {problem}", origin=origin, problem=worded(message))
            self.problems.append(
                Problem(file=ENVIRONMENT, code=code, message=message, hint=hint, severity=severity)
            )
