"""The systemd unit of a project, with access to the files that its rules need and little else."""

import grp
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wbox_notify.config.stores import file_of
from wbox_notify.daemon.file_intake import watches
from wbox_notify.errors import ConfigError
from wbox_notify.rules.project import Project
from wbox_notify.rules.triggers import FileTrigger, literal_path
from wbox_notify.templates import Template

MARK = "# written by wbox-notify install service"

# An upgrade copies the store before it is ready. The planner sleeps for 30 seconds at most, and a commit on a
# slow disk takes its time.
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
ExecReload=/bin/sh -c "kill -HUP $MAINPID"
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=78
TimeoutStartSec=900
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

_READ, _WRITE = 0o5, 0o7  # to read and enter a folder; to move files out of it and into it too

_UNSAFE = r"""[\x00-\x1f\x7f"'\\\ud800-\udfff]"""
"""Characters that are not safe in a unit: they would end a line or a word, or begin a second one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The content of a unit.

    Attributes:
        system: Whether it runs for the whole machine, as a user of its own, or for one user.
        python: The interpreter that has wbox_notify.
        folder: The project folder.
        credentials: The files that systemd reads for the daemon, by the names of the credentials.
        needed: The folders that are needed to start: those of the interpreter and the packages.
        watched: The folders that rules watch or send from, which may be made later.
        written: The folders that are written to, besides the state folder.
        moved: The folders that files are moved out of and into, which may be made later.
        lost: The secrets in the environment of this shell, which the daemon will not have.
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
        control, target = "systemctl --user", "default.target"
        if self.system:
            control, target = "systemctl", "multi-user.target"
        # A `$` is written twice in an argument, but cannot be in the name of the program.
        folder = _path(self.folder).replace("$", "$$")
        command = f"{_path(self.python, unsafe='[$]')} -m wbox_notify -c {folder} run"
        parts = [f"{MARK}; your own changes: {control} edit wbox-notify\n"]
        parts.append(_START.format(command=command))
        for name, path in self.credentials.items():
            parts.append(f"LoadCredential={name}:{_path(path, unsafe=':')}\n")
        if self.system:
            parts += [_SYSTEM, *self._folders()]
        parts += [_ALWAYS, f"\n[Install]\nWantedBy={target}\n"]
        return "".join(parts)

    def barred(self) -> list[Path]:
        """Return the folders that the daemon's own user cannot read."""
        return [path for path in (self.folder, *self.watched) if self._is_barred(path, _READ)]

    def locked(self) -> list[Path]:
        """Return the folders that files are moved out of or into, and that the user cannot write to."""
        return [path for path in self.moved if self._is_barred(path, _WRITE)]

    def missing(self) -> list[Path]:
        """Return the folders that files are moved into, and that the user cannot make."""
        if not self.system:
            return []
        absent = [path for path in self.moved if not path.exists()]
        return [path for path in absent if not any(path.is_relative_to(watched) for watched in self.watched)]

    def _is_barred(self, path: Path, mode: int) -> bool:
        return self.system and path.is_dir() and not (_open_to_all(path, mode) or _group(path, mode))

    def _folders(self) -> list[str]:
        """Return the lines that open folders for the daemon, and the groups that it joins for them."""
        required = _hidden((*self.needed, self.folder, *self.written))
        writable = _hidden((*self.written, *self.moved))
        lines = []
        paths = dict.fromkeys((*required, *_hidden(self.watched), *writable))
        for path in _mounts(paths, writable):
            key = "BindPaths" if path in writable else "BindReadOnlyPaths"
            lines.append(f"{key}={_path(path, optional=path not in required, unsafe=':')}\n")
        lines += [
            f"ReadWritePaths={_path(path, optional=path not in self.written)}\n"
            for path in dict.fromkeys((*self.written, *self.moved))
            if not _hidden([path])
        ]
        modes = {**dict.fromkeys((self.folder, *self.watched), _READ), **dict.fromkeys(self.moved, _WRITE)}
        groups = {_group(path, mode) for path, mode in modes.items()}
        names = sorted(name for name in groups if name)
        if names:
            lines.append(f"SupplementaryGroups={' '.join(names)}\n")
        return lines


def unit(project: Project, settings: Mapping[str, Any], *, system: bool, key: Path | None) -> Unit:
    """Return the unit of a project without errors.

    Args:
        project: The project.
        settings: The content of its ``wbox-notify.yaml``.
        system: Whether it is for the whole machine.
        key: The file with the API key; None for the one of the settings, else the usual place.
    """
    folder = _normal(project.settings.folder)
    declared = (settings.get("secrets") or {}).items()
    files = {name: folder / Path(entry["file"]).expanduser() for name, entry in declared if "file" in entry}
    key = key or _key_file(folder, settings, system=system)
    own_store = bool(settings.get("store") or os.environ.get("WBOX_STORE"))
    credentials = {"wbox_api_key": key.absolute(), **files}
    return Unit(
        system=system,
        python=Path(sys.executable),
        folder=folder,
        credentials={name: _normal(path) for name, path in credentials.items()},
        needed=(Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2]),
        watched=tuple(dict.fromkeys(map(_normal, _read(project)))),
        written=tuple(dict.fromkeys(map(_normal, _written(project, own_store=own_store)))),
        moved=tuple(dict.fromkeys(map(_normal, _moved(project)))),
        lost=tuple(sorted(project.settings.secrets.keys() - files)),
    )


def _key_file(folder: Path, settings: Mapping[str, Any], *, system: bool) -> Path:
    """Return the file with the API key: the one of the settings, else the usual place."""
    named = (settings.get("wbox") or {}).get("api_key_file")
    if named:
        return folder / Path(named).expanduser()
    if system:
        return Path("/etc/wbox-notify/api-key")
    return Path.home() / ".config" / "wbox-notify" / "api-key"


def _read(project: Project) -> Iterator[Path]:
    """Yield the folders that rules watch, and others that they send files from."""
    yield from (watch.root for watch in watches(project))
    for rule in project.rules:
        yield from rule.roots(project.settings.folder)


def _written(project: Project, *, own_store: bool) -> Iterator[Path]:
    """Yield the folders that are written to, besides the state folder."""
    file = file_of(project.settings.store)
    if own_store and file:
        yield file.parent
    if project.settings.media.static:
        yield project.settings.media.static.folder


def _moved(project: Project) -> Iterator[Path]:
    """Yield the folders that files are moved out of and into.

    Of a folder with a template in its name it is the part before the template: the rest is made below it.
    """
    for rule in project.rules:
        for trigger in rule.triggers:
            if isinstance(trigger, FileTrigger) and any(trigger.targets):
                yield trigger.root
                for target in trigger.targets:
                    if isinstance(target, Template) and (path := literal_path(target, trigger.root)):
                        yield path


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _hidden(paths: Iterable[Path]) -> list[Path]:
    """Return the paths that the unit would hide, under each name that leads to them."""
    names = dict.fromkeys(name for path in paths for name in (path, Path(os.path.realpath(path))))
    return [name for name in names if any(name.is_relative_to(hidden) for hidden in _HIDDEN)]


def _mounts(paths: Collection[Path], writable: Collection[Path]) -> Iterator[Path]:
    """Yield the paths without the writable ones that a writable one above them brings.

    Between two mounts a file is copied, not renamed: the copy has another owner.
    """
    for path in paths:
        above = next((parent for parent in path.parents if parent in paths), None)
        if not (path in writable and above in writable):
            yield path


def _open_to_all(path: Path, mode: int) -> bool:
    return path.stat().st_mode & mode == mode


def _group(path: Path, mode: int) -> str | None:
    """Return the group that a folder is open to, if it is not open to all."""
    try:
        status = path.stat()
        name = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return None
    open_to_group = status.st_gid and status.st_mode >> 3 & mode == mode
    return name if open_to_group and not _open_to_all(path, mode) else None


def _path(path: Path, *, optional: bool = False, unsafe: str = "") -> str:
    """Return a path as a word of a unit; ``unsafe`` are more characters that it cannot have here."""
    if match := re.search("|".join(filter(None, (_UNSAFE, unsafe))), str(path)):
        raise ConfigError(
            f"{str(path)!r} has the character {match[0]!r}, which a path in a systemd unit cannot have",
            hint="rename the folder, or reach it by a link with another name",
        )
    word = str(path).replace("%", "%%")
    if optional:
        word = f"-{word}"
    return f'"{word}"' if " " in word else word
