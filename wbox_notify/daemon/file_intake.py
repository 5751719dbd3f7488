"""What comes into the watched folders, kept in the store, and put away afterwards."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from wbox_notify.daemon.archive import Archive, follows
from wbox_notify.daemon.sources import watches
from wbox_notify.model.deliveries import Memory
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.rules import Project
from wbox_notify.store import Store
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.health import Alarm, unheard

_BEGUN = "existing"


class FileIntake:
    """The files of a project; ``kept`` is called when events of some are on disk."""

    def __init__(
        self,
        project: Project,
        store: Store,
        *,
        kept: Callable[[], None],
        report: Callable[[str], None],
        alarm: Alarm = unheard,
    ) -> None:
        self._project = project
        self._store = store
        self._kept = kept
        self._source = FileSource(
            watches(project, self), known=store.files.known, emit=self._keep, report=report, alarm=alarm
        )
        self._afterwards = Archive(project, store.files, report=report, alarm=alarm)

    def start(self) -> None:
        """Begin to watch."""
        self._source.start()
        self._afterwards.start()

    def stop(self) -> None:
        """Stop; returns when nothing more is kept or put away."""
        self._source.stop()
        self._afterwards.stop()

    def listed(self, within: float) -> bool:
        """Wait until what was there at the start has been listed and kept; False if it takes longer."""
        return self._source.listed(within)

    def is_new(self, rule: str, root: Path) -> bool:
        """Return whether a rule has never listed a folder."""
        return self._store.remembered(rule, _BEGUN, str(root)) is None

    def begun(self, rule: str, root: Path) -> None:
        """Note that it has now. Raises StoreError."""
        now = time.time()
        self._store.put_events(
            [], now, [Memory(rule=rule, kind=_BEGUN, key=str(root), value={"at": now})]
        ).result()

    def _keep(self, events: Sequence[Event], versions: Sequence[FileVersion]) -> None:
        """Keep events, and versions as known; once this returns they are on disk."""
        told = {event.id: self._first_fate(event) for event in events}
        fates = {version: told.get(version.id, FileState.IGNORED) for version in versions}
        self._store.put_events(events, time.time(), files=fates).result()
        self._kept()

    def _first_fate(self, event: Event) -> FileState:
        return FileState.OPEN if follows(self._project, event) else FileState.SEEN
