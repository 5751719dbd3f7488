"""Settings: what the environment and ``wbox-notify.yaml`` say; the environment wins."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import platformdirs

from wbox_notify.config.media import Bucket, Media, Static
from wbox_notify.config.own import Own, own
from wbox_notify.config.secrets import OutletBook, Secrets, decoded, exposed, mending, open_secret
from wbox_notify.config.spec import SettingsFile
from wbox_notify.config.values import (
    BODY,
    BUCKET_PARTS,
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_URL,
    HISTORY,
    PACE_PARTS,
    as_address,
    as_body,
    as_count,
    as_device,
    as_flag,
    as_history,
    as_language,
    as_pace,
    as_path,
    as_public_url,
    as_region,
    as_store,
    as_url,
    as_zone,
    parse_size,
    plain,
    system_zone,
)
from wbox_notify.config.yaml.document import Document, Location, open_document, parse
from wbox_notify.config.yaml.problems import Problem, Severity
from wbox_notify.config.yaml.validation import fit
from wbox_notify.errors import ConfigError
from wbox_notify.model.addresses import is_in_the_clear, is_loopback
from wbox_notify.model.pace import Pace
from wbox_notify.model.redaction import learn

T = TypeVar("T")

FILE = "wbox-notify.yaml"
"""The name of the settings file in a project folder."""

ENVIRONMENT = "environment"
"""What problems call the environment."""

_KEY = re.compile(r"sk_[!-~]+")
_KEY_BYTES = 4096
_CREDENTIALS = "CREDENTIALS_DIRECTORY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this project runs.

    Attributes:
        folder: The project folder.
        url: Where wbox is.
        api_key: The key of the wbox API, or None where there is none.
        device_id: The device that sends where a message names none; None leaves it to wbox.
        store: The address of the store, ``sqlite:///PATH``.
        data_dir: Where the daemon keeps what is its own.
        history: For how many seconds finished things are kept; infinity for ever.
        listen: Host and port that the daemon answers at.
        tz: The time zone of rules and messages.
        lang: The language of dates and numbers, such as ``tr``.
        region: The country of phone numbers without a country code, such as ``TR``; None refuses them.
        public_url: The address at which people and other programs reach the daemon; None where nobody said.
        media: How files of this machine reach wbox.
        body: How many bytes the body of a webhook may have.
        storm_guard: An event that would send more messages than this waits, and asks.
        owner: Who is asked then, as ``to`` names people.
        pace: How quickly messages may follow each other.
        fallback: The names of the outlets that tell of trouble with wbox.
        outlets: The Apprise URLs of all outlets of the settings, by name.
        secrets: The values of secrets by name, of those that were found.
        link_key: What signs our links; whoever makes or reads links fills it in.
        own: What belongs to the daemon, which no rule reads, sends or moves.
    """

    folder: Path
    url: str = DEFAULT_URL
    api_key: str | None = field(default=None, repr=False)
    device_id: int | None = None
    store: str
    data_dir: Path
    history: float = HISTORY
    listen: tuple[str, int] = (DEFAULT_HOST, DEFAULT_PORT)
    tz: ZoneInfo
    lang: str = "en"
    region: str | None = None
    public_url: str | None = None
    media: Media = field(default_factory=Media)
    body: int = BODY
    storm_guard: int = 50
    owner: str | None = None
    pace: Pace = field(default_factory=Pace)
    fallback: tuple[str, ...] = ()
    outlets: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    link_key: bytes = field(default=b"", repr=False)
    own: Own = field(default_factory=Own, repr=False)

    @property
    def lends_files(self) -> bool:
        """Whether wbox can fetch a file of this machine: from the daemon, from elsewhere, or beside us."""
        return bool(self.public_url or self.media.elsewhere or is_loopback(self.url))


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings, the file they came from (it may hold contacts too) and what is wrong with both.

    ``secrets`` finds also those that are not declared.
    """

    settings: Settings
    document: Document
    problems: tuple[Problem, ...]
    secrets: Secrets


def read(folder: Path, environ: Mapping[str, str]) -> Setup:
    """Return the settings of a project folder; what cannot be used is a problem and leaves its default."""
    path = folder / FILE
    document = open_document(path, FILE) if os.path.lexists(path) else parse(b"", FILE)
    reading = _Reading(plain(folder), environ, document)
    found = reading.settings()
    problems = (*reading.problems, *reading.secrets.problems)
    return Setup(found, document, problems, reading.secrets)


Origin = Location | str
"""Where a value was found: in the file, or in the variable of this name."""


class _Reading:
    """One reading of both sources."""

    def __init__(self, folder: Path, environ: Mapping[str, str], document: Document) -> None:
        self.folder = folder
        self.environ = environ
        self.document = document
        value = {} if document.value is None else document.value
        self.problems = [*document.problems, *fit(SettingsFile, value, document.at())[1]]
        self.secrets = Secrets(folder, environ)
        section = value.get("secrets") if isinstance(value, dict) else None
        self.secrets.declare(section, document.at("secrets"))
        self.outlets = OutletBook(self.secrets)
        self.misshapen = {(problem.line, problem.column) for problem in self.problems}

    def settings(self) -> Settings:
        data_dir = self._data_dir()
        read_store = partial(as_store, folder=self.folder)
        store = self._chosen(read_store, "WBOX_STORE", "store") or f"sqlite:///{data_dir}/wbox-notify.db"
        insecure = self._chosen(as_flag, "WBOX_INSECURE", "wbox", "insecure") or False
        read_url = partial(as_url, insecure=insecure)
        lang = self._chosen(as_language, "WBOX_LANG", "defaults", "lang") or "en"
        return Settings(
            folder=self.folder,
            url=self._chosen(read_url, "WBOX_API_URL", "wbox", "url") or DEFAULT_URL,
            api_key=self._key(),
            device_id=self._chosen(as_device, "WBOX_DEVICE_ID", "wbox", "device"),
            store=store,
            data_dir=data_dir,
            history=self._chosen(as_history, "WBOX_HISTORY", "history") or HISTORY,
            listen=self._chosen(as_address, "WBOX_LISTEN", "listen") or (DEFAULT_HOST, DEFAULT_PORT),
            tz=self._chosen(as_zone, None, "defaults", "tz") or system_zone(self.environ),
            lang=lang,
            region=self._chosen(as_region, None, "defaults", "region"),
            public_url=self._road("WBOX_PUBLIC_URL", "public_url"),
            media=self._media(),
            body=self._chosen(as_body, "WBOX_LIMITS_BODY", "limits", "body") or BODY,
            storm_guard=self._chosen(int, None, "storm_guard") or 50,
            owner=self._chosen(str, None, "owner"),
            pace=self._pace(lang),
            fallback=self._fallback(),
            outlets=self.outlets.found,
            secrets=dict(self.secrets.found),
            own=own(self.folder, data_dir, store, self._keys()),
        )

    def _pace(self, lang: str) -> Pace:
        """Return the pace of the variable; else of the file, where it is one value or a map of parts."""
        chosen = self._chosen(as_pace, "WBOX_PACE")
        if chosen is None and not isinstance(self._value("wbox", "pace"), dict):
            chosen = self._chosen(as_pace, None, "wbox", "pace")
        if chosen is None:
            parts = {name: self._chosen(read_as, None, "wbox", "pace", name) for name, read_as in PACE_PARTS}
            chosen = Pace(**{name: value for name, value in parts.items() if value is not None})
        backlog = self._chosen(as_count, None, "backlog")
        return replace(chosen, backlog=chosen.backlog if backlog is None else backlog, lang=lang)

    def _media(self) -> Media:
        usual = Media()
        folder = self._chosen(partial(as_path, folder=self.folder), None, "media", "static", "folder")
        url = self._road(None, "media", "static", "url")
        return Media(
            static=Static(folder, url) if folder and url else None,
            bucket=self._bucket(),
            quota=self._chosen(parse_size, None, "media", "quota") or usual.quota,
            largest={
                family: self._chosen(parse_size, None, "media", family) or most
                for family, most in usual.largest.items()
            },
            fetches=self._chosen(int, None, "media", "fetches") or usual.fetches,
        )

    def _road(self, variable: str | None, *path: str) -> str | None:
        """Return an address that others are given; that they can be listened to on the way is a warning."""
        for text, origin in self._given(variable, *path):
            if is_in_the_clear(text):
                message = "over http:// everybody on the way can read links and what they lead to"
                self._report(origin, "WBX363", message, "write https://", "warning")
        return self._chosen(as_public_url, variable, *path)

    def _bucket(self) -> Bucket | None:
        if not isinstance(self._value("media", "bucket"), dict):
            return None
        path = ("media", "bucket")
        spot = self.document.at(*path)
        found = {part: self._chosen(read, None, *path, part) for part, read in BUCKET_PARTS.items()}
        if name := self._chosen(str, None, *path, "secret"):
            found["secret"] = self.secrets.declared(name, spot.at("secret"))
        given = {part: text for part, text in found.items() if text is not None}
        if not find_spec("minio"):
            hint = "pip install 'minio>=7.2.20,<8' in the environment of the daemon"
            self._report(spot, "WBX343", "a bucket needs a library that is not installed", hint)
        elif {*BUCKET_PARTS, "secret"} - {*given} <= {"prefix"}:
            return Bucket(**given)
        return None

    def _chosen(self, read_as: Callable[[str], T], variable: str | None, *path: str) -> T | None:
        """Return the value of the variable, else of the file; each that cannot be read is a problem."""
        chosen = None
        for text, origin in self._given(variable, *path):
            try:
                chosen = read_as(text)
            except ConfigError as error:
                self._report(origin, "WBX320", str(error), error.hint)
        return chosen

    def _given(self, variable: str | None, *path: str) -> Iterator[tuple[str, Origin]]:
        value = self._value(*path) if path else None
        spot = self.document.at(*path)
        if value is not None and (spot.place.line, spot.place.column) not in self.misshapen:
            yield str(value), spot
        if variable and (text := self.environ.get(variable, "").strip()):
            yield text, variable

    def _value(self, *path: str) -> Any:
        value = self.document.value
        for step in path:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def _fallback(self) -> tuple[str, ...]:
        """Return the names of the outlets in the file, or of those in the variable where there are some."""
        value = self._value("fallback")
        listed: list[Any] = value if isinstance(value, list) else [value]
        spots = [self.document.at("fallback", index) for index in range(len(listed))]
        written = [spot for spot, text in zip(spots, listed, strict=True) if isinstance(text, str)]
        chosen = self._outlets((spot.value, spot) for spot in written)
        variable = "WBOX_FALLBACK"
        return self._outlets((text, variable) for text in self.environ.get(variable, "").split()) or chosen

    def _outlets(self, texts: Iterable[tuple[str, Origin]]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for text, origin in texts:
            try:
                found[self.outlets.find(text)] = None
                if isinstance(origin, Location):
                    self.problems += open_secret(text, origin)
            except ConfigError as error:
                self._report(origin, "WBX329", str(error), error.hint)
        return tuple(found)

    def _data_dir(self) -> Path:
        if chosen := self._chosen(partial(as_path, folder=Path.cwd()), "WBOX_DATA_DIR"):
            return chosen
        state = self.environ.get("STATE_DIRECTORY", "").split(":")[0]
        return plain(Path(state or platformdirs.user_data_dir("wbox-notify", appauthor=False)))

    def _key(self) -> str | None:
        if literal := self.environ.get("WBOX_API_KEY", "").strip():
            return self._checked(literal, "WBOX_API_KEY")
        for text, origin in self._key_files():
            return self._key_in(text, origin)
        return None

    def _key_files(self) -> Iterator[tuple[str, Origin]]:
        if path := self.environ.get("WBOX_API_KEY_FILE"):
            yield path, "WBOX_API_KEY_FILE"
        if credentials := self.environ.get(_CREDENTIALS):
            path = os.path.join(credentials, "wbox_api_key")  # noqa: PTH118 - it is text until it is checked
            if os.path.lexists(path):
                yield path, _CREDENTIALS
        yield from self._given(None, "wbox", "api_key_file")

    def _keys(self) -> Iterator[Path]:
        """Yield all that holds a key or a secret, also what is not used now."""
        yield from self.secrets.files
        if credentials := self.environ.get(_CREDENTIALS):
            yield Path(credentials)
        for text, origin in self._key_files():
            with suppress(ConfigError):
                yield as_path(text, self.folder if isinstance(origin, Location) else Path.cwd())

    def _key_in(self, text: str, origin: Origin) -> str | None:
        try:
            path = as_path(text, self.folder if isinstance(origin, Location) else Path.cwd())
            with path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                key = decoded(stream.read(_KEY_BYTES)).strip()
        except UnicodeDecodeError:
            self._report(origin, "WBX322", f"the key file {text} is not UTF-8 text", None)
            return None
        except (OSError, ConfigError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._report(origin, "WBX322", f"the key file {text} cannot be read: {reason}", None)
            return None
        if origin != _CREDENTIALS and (flaw := exposed(status)):
            message = f"{flaw} the key file {text}"
            self._report(origin, "WBX322", message, f"{mending(flaw)} {path}", "warning")
        return self._checked(key, origin)

    def _checked(self, key: str, origin: Origin) -> str | None:
        if _KEY.fullmatch(key):
            learn(key)
            return key
        hint = "copy it again from wbox: Settings > API Access"
        self._report(origin, "WBX323", "this is not a wbox key: one starts with sk_ and has no spaces", hint)
        return None

    def _report(
        self, origin: Origin, code: str, message: str, hint: str | None, severity: Severity = "error"
    ) -> None:
        if isinstance(origin, Location):
            self.problems.append(origin.problem(code, message, hint=hint, severity=severity))
        else:
            message = f"{origin}: {message}"
            self.problems.append(
                Problem(file=ENVIRONMENT, code=code, message=message, hint=hint, severity=severity)
            )
