"""The systemd unit of a project: what it may see and do is what its rules need."""

import grp
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wbox_notify.daemon.file_intake import watches
from wbox_notify.errors import ConfigError
from wbox_notify.rules import Project
from wbox_notify.rules.triggers import FileTrigger, literal_path
from wbox_notify.templates import Template

MARK = "# written by wbox-notify install service"

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
UMask={umask}
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

_READ, _WRITE = 0o5, 0o7  # to read and to enter a folder; to move files out of it and into it too

_BIND = {False: "BindReadOnlyPaths", True: "BindPaths"}

_ODD = r"""[\x00-\x1f\x7f"'\\\ud800-\udfff]"""
"""What has no safe way into a unit: it would end a line or a word, or begin a second one."""


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
        moved: The folders that files are moved out of and into, which may come later.
        lost: The secrets that come from the environment of this shell, which the daemon will not have.
    """

    system: bool
    python: Path
    folder: Path
    credentials: Mapping[str, Path]
    needed: tuple[Path, ...]
    watched: tuple[Path, ...]
    written: tuple[Path, ...] = ()
    moved: tuple[Path, ...] = ()
    lost: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the unit as systemd reads it.

        Raises:
            ConfigError: a path cannot stand in a unit.
        """
        # A `$` is written twice in an argument, but cannot be in the name of the program.
        folder = _path(self.folder).replace("$", "$$")
        command = f"{_path(self.python, odd='[$]')} -m wbox_notify -c {folder} run"
        # Folders that are made for files which are put away belong to those who look into them too.
        umask = "0007" if self.system and self.moved else "0077"
        own = "systemctl edit" if self.system else "systemctl --user edit"
        lines = [f"{MARK}; your own changes: {own} wbox-notify", _START.format(command=command, umask=umask)]
        lines += [
            f"LoadCredential={name}:{_path(path, odd=':')}\n" for name, path in self.credentials.items()
        ]
        lines += [_SYSTEM, *self._places()] if self.system else []
        target = "multi-user.target" if self.system else "default.target"
        lines += [_ALWAYS, f"\n[Install]\nWantedBy={target}\n"]
        return "\n".join((lines[0], "".join(lines[1:])))

    def barred(self) -> list[Path]:
        """Return the folders that the unit's own user will not be allowed to read."""
        return [place for place in (self.folder, *self.watched) if self._is_barred(place, _READ)]

    def locked(self) -> list[Path]:
        """Return the folders that files are moved out of and into, and that its user may not write."""
        return [place for place in self.moved if self._is_barred(place, _WRITE)]

    def missing(self) -> list[Path]:
        """Return the folders for files that are put away which its user cannot make."""
        if not self.system:
            return []
        return [
            place
            for place in self.moved
            if not place.exists() and not any(place.is_relative_to(other) for other in self.watched)
        ]

    def _is_barred(self, place: Path, wanted: int) -> bool:
        return self.system and place.is_dir() and not (_open_to_all(place, wanted) or _group(place, wanted))

    def _places(self) -> list[str]:
        """Return what is opened of what the unit hides, and the groups that folders are for."""
        wanted = {**dict.fromkeys((self.folder, *self.watched), _READ), **dict.fromkeys(self.moved, _WRITE)}
        groups = sorted({name for place, mode in wanted.items() if (name := _group(place, mode))})
        required = _hidden((*self.needed, self.folder, *self.written))
        writable = _hidden((*self.written, *self.moved))
        # A folder that is not there yet must not keep the others from being watched.
        binds = [
            f"{_BIND[name in writable]}={_path(name, '' if name in required else '-', odd=':')}\n"
            for name in dict.fromkeys((*required, *_hidden(self.watched), *writable))
        ]
        opened = [
            f"ReadWritePaths={_path(place, '' if place in self.written else '-')}\n"
            for place in dict.fromkeys((*self.written, *self.moved))
            if not _hidden([place])
        ]
        return [
            *binds,
            *opened,
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
    folder = _normal(project.settings.folder)
    declared = (settings.get("secrets") or {}).items()
    files = {name: folder / Path(entry["file"]).expanduser() for name, entry in declared if "file" in entry}
    usual = Path("/etc" if system else Path.home() / ".config", "wbox-notify", "api-key")
    named = (settings.get("wbox") or {}).get("api_key_file")
    key = key or (folder / Path(named).expanduser() if named else usual)
    store = settings.get("store") or os.environ.get("WBOX_STORE")
    credentials = {"wbox_api_key": key.absolute(), **files}
    return Unit(
        system=system,
        python=Path(sys.executable),
        folder=folder,
        credentials={name: _normal(path) for name, path in credentials.items()},
        needed=(Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2]),
        watched=tuple(dict.fromkeys(map(_normal, _read(project)))),
        written=tuple(dict.fromkeys(map(_normal, _written(project, own_store=bool(store))))),
        moved=tuple(dict.fromkeys(map(_normal, _moved(project)))),
        lost=tuple(sorted(project.settings.secrets.keys() - files)),
    )


def _read(project: Project) -> Iterator[Path]:
    """Yield what rules watch, and what they send from elsewhere."""
    yield from (watch.root for watch in watches(project))
    for rule in project.rules:
        yield from rule.roots(project.settings.folder)


def _written(project: Project, *, own_store: bool) -> Iterator[Path]:
    """Yield the folders that are written to, besides the state folder."""
    if own_store:
        yield Path(project.settings.store.removeprefix("sqlite:///")).parent
    if project.settings.media.static:
        yield project.settings.media.static.folder


def _moved(project: Project) -> Iterator[Path]:
    """Yield the folders that files are moved out of, and those that they are put into.

    Of a folder with a template in its name it is what stands before that: the rest is made below it.
    """
    for rule in project.rules:
        for trigger in rule.triggers:
            if isinstance(trigger, FileTrigger) and any(trigger.targets):
                yield trigger.root
                for target in trigger.targets:
                    path = literal_path(target, trigger.root) if isinstance(target, Template) else None
                    if path:
                        yield path


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _hidden(paths: Iterable[Path]) -> list[Path]:
    """Return those that the unit would hide, under each name that leads to them."""
    names = dict.fromkeys(name for path in paths for name in (path, Path(os.path.realpath(path))))
    return [name for name in names if any(name.is_relative_to(place) for place in _HIDDEN)]


def _open_to_all(place: Path, wanted: int) -> bool:
    return place.stat().st_mode & wanted == wanted


def _group(place: Path, wanted: int) -> str | None:
    """Return the group that a folder is open to, where it is not open to all."""
    try:
        status = place.stat()
        name = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return None
    open_to_it = status.st_gid and status.st_mode >> 3 & wanted == wanted
    return name if open_to_it and not _open_to_all(place, wanted) else None


def _path(path: Path, before: str = "", *, odd: str = "") -> str:
    """Return a path as a word of a unit; ``odd`` is what must not stand in it at this place besides."""
    if found := re.search(f"{_ODD}|{odd}" if odd else _ODD, str(path)):
        raise ConfigError(
            f"{str(path)!r} has the character {found[0]!r}, which a path in a unit of systemd cannot hold",
            hint="rename the folder, or reach it by a link with another name",
        )
    return _word(f"{before}{path}")


def _word(text: str) -> str:
    """Return a word of a line of a unit."""
    text = text.replace("%", "%%")
    return f'"{text}"' if " " in text else text
