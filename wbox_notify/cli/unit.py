"""The systemd unit of a project: what it may see and do is what its rules need."""

import grp
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wbox_notify.errors import ConfigError
from wbox_notify.media import roots
from wbox_notify.rules import Project
from wbox_notify.sources import watches

MARK = "# written by wbox-notify install service; your own changes: systemctl edit wbox-notify"

# The planner rests for 30 seconds at most, and a commit on a slow disk takes its time.
_START = """\
[Unit]
Description=wbox-notify: WhatsApp messages from files, webhooks and clocks
Wants=network-online.target
After=network-online.target time-sync.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=notify
NotifyAccess=main
WatchdogSec=120
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=78
TimeoutStopSec=15
KillMode=mixed
Environment=PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1
LimitNOFILE=8192
LimitCORE=0
UMask=0077
"""

_ALWAYS = """\
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""

_SYSTEM = """\
DynamicUser=yes
StateDirectory=wbox-notify
StateDirectoryMode=0700
CapabilityBoundingSet=
AmbientCapabilities=
DevicePolicy=closed
KeyringMode=private
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=tmpfs
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
"""

_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - what the unit hides

_ALL, _GROUP = 0o5, 0o50  # to read and to enter a folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """What a unit is made of.

    Attributes:
        system: Whether it runs for the whole machine, as a user of its own, or for one user.
        python: The interpreter that has wbox_notify.
        folder: The project folder.
        credentials: The files that systemd reads for us, by the names of what they hold.
        needed: What must be there to start: the interpreter and the packages.
        watched: What rules watch or send from, which may come later.
        written: The folders that are written to, besides the state folder.
        lost: The secrets that come from the environment of this shell, which the daemon will not have.
    """

    system: bool
    python: Path
    folder: Path
    credentials: Mapping[str, Path]
    needed: tuple[Path, ...]
    watched: tuple[Path, ...]
    written: tuple[Path, ...] = ()
    lost: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the unit as systemd reads it."""
        words = [str(self.python), "-m", "wbox_notify", "-c", str(self.folder), "run"]
        lines = [MARK, _START.format(command=" ".join(_word(word).replace("$", "$$") for word in words))]
        lines += [f"LoadCredential={name}:{_path(path)}\n" for name, path in self.credentials.items()]
        lines += [_SYSTEM, *self._places()] if self.system else []
        target = "multi-user.target" if self.system else "default.target"
        lines += [_ALWAYS, f"\n[Install]\nWantedBy={target}\n"]
        return "\n".join((lines[0], "".join(lines[1:])))

    def barred(self) -> list[Path]:
        """Return the folders that the unit's own user will not be allowed to read."""
        places = (self.folder, *self.watched) if self.system else ()
        return [place for place in places if place.is_dir() and not (_open_to_all(place) or _group(place))]

    def _places(self) -> list[str]:
        """Return what is opened of what the unit hides, and the groups that folders are for."""
        groups = sorted({name for place in (self.folder, *self.watched) if (name := _group(place))})
        seen = [_path(path) for path in _hidden((*self.needed, self.folder))]
        # A folder that is not there yet must not keep the others from being watched.
        seen += [_path(path, "-") for path in _hidden(self.watched) if _path(path) not in seen]
        return [
            *(f"BindReadOnlyPaths={path}\n" for path in seen),
            *(f"ReadWritePaths={_path(path)}\n" for path in self.written),
            *([f"SupplementaryGroups={' '.join(groups)}\n"] if groups else []),
        ]


def unit(project: Project, settings: Mapping[str, Any], *, system: bool, key: Path | None) -> Unit:
    """Return the unit of a project without errors.

    Args:
        project: The project.
        settings: What its ``wbox-notify.yaml`` says.
        system: Whether it is for the whole machine.
        key: The file with the API key; None takes that of the settings, else a file in the usual place.
    """
    folder = project.settings.folder
    declared = (settings.get("secrets") or {}).items()
    files = {name: folder / Path(entry["file"]).expanduser() for name, entry in declared if "file" in entry}
    usual = Path("/etc" if system else Path.home() / ".config", "wbox-notify", "api-key")
    named = (settings.get("wbox") or {}).get("api_key_file")
    key = key or (folder / Path(named).expanduser() if named else usual)
    store = settings.get("store") or os.environ.get("WBOX_STORE")
    return Unit(
        system=system,
        python=Path(sys.executable),
        folder=folder,
        credentials={"wbox_api_key": key.absolute(), **files},
        needed=(Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2]),
        watched=tuple(dict.fromkeys(_read(project))),
        written=tuple(_written(project, own_store=bool(store))),
        lost=tuple(sorted(project.settings.secrets.keys() - files)),
    )


def _read(project: Project) -> Iterator[Path]:
    """Yield what rules watch, and what they send from elsewhere."""
    yield from (watch.root for watch in watches(project))
    for rule in project.rules:
        yield from roots(rule, project.settings.folder)


def _written(project: Project, *, own_store: bool) -> Iterator[Path]:
    """Yield the folders that are written to, besides the state folder."""
    if own_store:
        yield Path(project.settings.store.removeprefix("sqlite:///")).parent
    if project.settings.media.static:
        yield project.settings.media.static.folder


def _hidden(paths: Iterable[Path]) -> list[Path]:
    """Return those that the unit would hide, under each name that leads to them."""
    names = dict.fromkeys(name for path in paths for name in (path, Path(os.path.realpath(path))))
    return [name for name in names if any(name.is_relative_to(place) for place in _HIDDEN)]


def _open_to_all(place: Path) -> bool:
    return place.stat().st_mode & _ALL == _ALL


def _group(place: Path) -> str | None:
    """Return the group that a folder is open to, where it is not open to all."""
    try:
        status = place.stat()
        name = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return None
    open_to_it = status.st_gid and status.st_mode & _GROUP == _GROUP
    return name if open_to_it and not _open_to_all(place) else None


def _path(path: Path, before: str = "") -> str:
    if re.search(r"""[\x00-\x1f:"'\\]""", str(path)):
        raise ConfigError(f"{str(path)!r} has a character that a unit of systemd can not hold in a path")
    return _word(f"{before}{path}")


def _word(text: str) -> str:
    """Return a word of a line of a unit."""
    text = text.replace("%", "%%")
    return f'"{text}"' if " " in text else text
