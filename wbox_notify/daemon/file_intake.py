"""File intake: what comes into the watched folders is kept in the store, and archived afterwards."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import or_
from pathlib import Path
from posixpath import normpath

from wbox_notify.config.own import Own, Part
from wbox_notify.config.settings import Settings
from wbox_notify.daemon.archive import Archive, is_archived
from wbox_notify.model.deliveries import Memory
from wbox_notify.model.events import Event
from wbox_notify.model.file_version import FileState, FileVersion
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Rule
from wbox_notify.rules.triggers import FileTrigger, Nearness
from wbox_notify.store import Store
from wbox_notify.triggers.file.source import FileSource
from wbox_notify.triggers.file.watch import Want, Watch
from wbox_notify.triggers.health import Alarm, no_alarm

_BEGUN = "existing"


class FileIntake:
    """The files of a project; ``wake`` is called when events of some are on disk."""

    def __init__(
        self,
        project: Project,
        store: Store,
        *,
        wake: Callable[[], None],
        report: Callable[[str], None],
        alarm: Alarm = no_alarm,
    ) -> None:
        self._project = project
        self._store = store
        self._wake = wake
        self._source = FileSource(
            watches(project, self), known=store.files.known, emit=self._keep, report=report, alarm=alarm
        )
        self._archive = Archive(
            project, store.files, report=report, alarm=alarm, may=self._may_put_away, clock=store.clock
        )

    def start(self) -> None:
        """Begin to watch."""
        self._source.start()
        self._archive.start()

    def stop(self) -> None:
        """Stop; returns when nothing more is kept or put away."""
        self._source.stop()
        self._archive.stop()

    def listed(self, within: float) -> bool:
        """Wait until what was there at the start has been listed and kept; False if it takes longer."""
        return self._source.listed(within)

    def is_new(self, rule: str, root: Path) -> bool:
        """Return whether a rule has never listed a folder, as `existing: ignore` needs it."""
        return self._store.remembered(rule, _BEGUN, str(root)) is None

    def begun(self, rules: Sequence[str], root: Path) -> None:
        """Note that these rules have listed a folder now. Raises StoreError."""
        now = self._store.clock()
        memories = [Memory(rule=rule, kind=_BEGUN, key=str(root), value={"at": now}) for rule in rules]
        if memories:
            self._store.put_events([], now, memories).result()

    def _may_put_away(self) -> bool:
        """Return whether no other daemon on this machine puts files away."""
        leases = self._store.leases
        name = f"files:{self._store.host}"
        return name in leases.take(leases.join(), [name])

    def _keep(self, events: Sequence[Event], versions: Sequence[FileVersion]) -> None:
        """Keep events, and versions as known; once this returns they are on disk."""
        by_id = {
            event.id: FileState.OPEN if is_archived(self._project, event) else FileState.SEEN
            for event in events
        }
        states = {version: by_id.get(version.id, FileState.IGNORED) for version in versions}
        self._store.put_events(events, self._store.clock(), files=states).result()
        self._wake()


def watches(project: Project, intake: FileIntake | None = None) -> list[Watch]:
    """Return one watch for each folder that rules name; without an intake, of files that are there too."""
    by_root: dict[Path, list[tuple[FileTrigger, Rule]]] = {}
    for rule in project.rules:
        for trigger in rule.sources():
            if isinstance(trigger, FileTrigger):
                by_root.setdefault(trigger.root, []).append((trigger, rule))
    return [_watch(root, watching, project.settings, intake) for root, watching in by_root.items()]


def _watch(
    root: Path, watching: list[tuple[FileTrigger, Rule]], settings: Settings, intake: FileIntake | None
) -> Watch:
    """Return the watch of one folder for the rules that watch it."""
    own = frozenset(_own(root, settings))
    below_own = tuple(f"{path.rstrip('/')}/" for path in own)
    beginners: list[str] = []
    if intake:
        ignoring = [rule.id for trigger, rule in watching if trigger.existing == "ignore"]
        beginners = [rule for rule in ignoring if intake.is_new(rule, root)]

    def accepts(path: str) -> bool:
        if path in own or path.startswith(below_own):
            return False
        return any(trigger.accepts(path) for trigger, _ in watching)

    def want(path: str) -> Want:
        wants = [
            _want(trigger, rule, path, history=rule.id in beginners)
            for trigger, rule in watching
            if trigger.accepts(path)
        ]
        return reduce(or_, wants)

    def begun() -> None:
        if intake:
            intake.begun(beginners, root)

    return Watch(
        root=root,
        accepts=accepts,
        want=want,
        own=settings.own.has,
        miss=_near_misses([trigger for trigger, _ in watching]),
        poll=min((trigger.poll for trigger, _ in watching if trigger.poll is not None), default=None),
        begun=begun,
    )


def _near_misses(triggers: Sequence[FileTrigger]) -> Callable[[str], str | None]:
    """Return what says why no trigger takes a path, where one nearly does."""
    nearness = Nearness(triggers)

    def near_miss(path: str) -> str | None:
        if path not in nearness:
            return None
        misses = (trigger.miss(path) for trigger in triggers)
        return next((miss.text for miss in misses if miss and miss.near), None)

    return near_miss


def _want(trigger: FileTrigger, rule: Rule, path: str, *, history: bool) -> Want:
    marker = trigger.marker(path)
    return Want(
        rules=frozenset({rule.id}),
        reads=rule.needs - {"json"},
        rest=trigger.settle,
        least=trigger.min_size,
        markers=frozenset({marker} if marker else ()),
        history=history,
    )


def _own(root: Path, settings: Settings) -> tuple[str, ...]:
    """Return the paths below a folder that are not reported, with all below them."""
    if settings.own.at(root):
        return (normpath(root),)
    own, static = settings.own, settings.media.static
    if static:  # what is put there for wbox would be reported, sent and put there again
        own = Own((*own.parts, Part(static.folder, "")))
    return tuple(normpath(root / below) for _, below in own.below(root))
