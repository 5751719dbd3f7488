"""Check: the problems of a project, with those that only a look at the disk shows."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem, in_order
from wbox_notify.errors import WboxError
from wbox_notify.model.addresses import is_inside, is_loopback, is_loopback_host
from wbox_notify.model.text import did_you_mean
from wbox_notify.model.texts import Wording, problem_of, worded
from wbox_notify.rules import exposure
from wbox_notify.rules.compile import parts
from wbox_notify.rules.names import CALL
from wbox_notify.rules.project import Project
from wbox_notify.rules.rule import Draft, Rule
from wbox_notify.rules.triggers import (
    TARGETS,
    FileTrigger,
    MissingTrigger,
    Target,
    WebhookTrigger,
)
from wbox_notify.templates import Template
from wbox_notify.triggers.file.readers.text import Row
from wbox_notify.triggers.file.rows import RowFiles, Wanted, kind_of

_FIRING_ALONE = re.compile(
    r"""(?:\.status|\[["']status["']\])\s*(?:==\s*["']firing["']|!=\s*["']resolved["'])"""
    r"""|["']firing["']\s*==\s*\w+(?:\.status|\[["']status["']\])"""
    r"""|\bnot\s+missing\.resolved\b|\bmissing\.resolved\s*==\s*false\b""",
    re.IGNORECASE,
)
"""What holds while something is in trouble, and not when that is over."""

_WRITE = Wording("give the user that runs this the right to write there")
_PUBLIC_URL = Wording("set `public_url` in wbox-notify.yaml to an address that reaches the daemon")


def check(project: Project) -> list[Problem]:
    """Return the problems of a project, in order, and warnings of all that keeps its rules from working."""
    settings = project.settings
    problems = [*project.problems, *_empty(project), *_untested(project), *_links(project), *_media(project)]
    problems += exposure.exposures(settings, running=False)
    checked = set()
    for rule in project.rules:
        problems += _relays(rule)
        problems += _endless(rule)
        for source, location in _sources(rule):
            if isinstance(source, WebhookTrigger):
                if source.path not in checked:
                    problems += _hook(source, location, settings.listen[0])
                checked.add(source.path)
            else:
                file = location.at("file")
                if str(source.root) not in checked and not settings.own.at(source.root):
                    problems += _folder(source.root, file.at("path"))
                checked.add(str(source.root))
                problems += _patterns(source, file.at("match"))
                problems += _kinds(rule, source, file.at("match"))
                problems += exposure.watched(source, file, settings.own)
        for draft, location in _drafts(rule):
            problems += exposure.sent(draft, location, settings.own, settings.folder)
        problems += [*_targets(rule), *_table(rule)]
    return list(in_order(problems))


def _sources(rule: Rule) -> Iterator[tuple[FileTrigger | WebhookTrigger, Location]]:
    """Yield the sources of a rule with their locations."""
    for index, trigger in enumerate(rule.triggers):
        location = rule.location.at("trigger", index)
        if isinstance(trigger, FileTrigger | WebhookTrigger):
            yield trigger, location
        elif isinstance(trigger, MissingTrigger):
            yield trigger.of, location.at("missing", "of")


def _drafts(rule: Rule) -> Iterator[tuple[Draft, Location]]:
    """Yield the messages of a rule and of its steps with their locations."""
    for index, draft in enumerate(rule.send):
        yield draft, rule.location.at("send", index)
    for step in rule.escalate:
        for index, draft in enumerate(step.send):
            yield draft, rule.location.at("escalate", step.number, "send", index)


def _empty(project: Project) -> Iterator[Problem]:
    """Yield an error for a folder that has no rules, good or bad."""
    folder = project.settings.folder
    if (folder / "wbox-notify.yml").is_file():
        hint = "call it wbox-notify.yaml"
        message = "this file is not read"
        yield Problem(file="wbox-notify.yml", code="WBX356", message=message, hint=hint, severity="warning")
    if project.rules or project.problems:
        return
    hint = "a project has its rules in rules/*.yaml; wbox-notify init writes a new project"
    if folder.name == "rules":
        hint = Wording("the project is the folder above: {folder}", folder=folder.parent)
    yield Problem(file=str(folder), code="WBX353", message="there are no rules here", hint=hint)


def _untested(project: Project) -> Iterator[Problem]:
    """Yield one warning for each file with rules that have no test."""
    files: dict[str, list[Rule]] = {}
    for rule in project.rules:
        if not rule.tests:
            files.setdefault(rule.file, []).append(rule)
    for first, *others in files.values():
        message = Wording("`{id}` has no test", id=first.id)
        if others:
            message = Wording("no test: {rules}", rules=", ".join(rule.id for rule in (first, *others)))
        hint = "a test under `tests:` shows that a rule does what you want"
        yield first.location.at("id").warning("WBX330", message, hint)


def _hook(hook: WebhookTrigger, location: Location, host: str) -> Iterator[Problem]:
    """Yield a warning for a hook with a weak secret, and for an open one that others or links can set off."""
    if hook.scheme and hook.scheme.weak:
        message = Wording("a secret of the path `{path}` is short enough to be guessed", path=hook.path)
        hint = "make a longer one: openssl rand -hex 32"
        yield location.at("webhook", "secret").warning("WBX332", message, hint)
    if hook.scheme is None and not is_loopback_host(host):
        message = Wording(
            "anybody who reaches {host} can call the path `{path}`",
            host=host or Wording("this machine"),
            path=hook.path,
        )
        hint = "give it a `secret`, or let the daemon listen at 127.0.0.1"
        yield location.at("webhook", "open").warning("WBX335", message, hint)
    if hook.scheme is None and "GET" in hook.methods:
        message = Wording(
            "whatever opens the address, such as a preview, calls the path `{path}`", path=hook.path
        )
        hint = "give it a `secret`, or leave GET out of `methods`"
        yield location.at("webhook", "methods").warning("WBX364", message, hint)


def _folder(root: Path, location: Location) -> Iterator[Problem]:
    """Yield a warning for a watched folder that is missing, cannot be read, or is open to all."""
    code, hint = "WBX312", None
    try:
        mode = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        code, message, hint = (
            "WBX310",
            Wording("the folder {root} does not exist yet", root=root),
            f"mkdir -p {root}",
        )
    except OSError as error:
        message = Wording("the folder {root} cannot be accessed: {reason}", root=root, reason=error.strerror)
    else:
        if not stat.S_ISDIR(mode):
            message, hint = (
                Wording("{root} is not a folder", root=root),
                "name the folder, and the file under `match`",
            )
        elif not os.access(root, os.R_OK | os.X_OK):
            message = Wording("the folder {root} cannot be read", root=root)
            hint = "give the user that runs this the right to read it"
        elif mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            message = Wording(
                "everybody on this machine can write to {root} and replace what others dropped", root=root
            )
            code, hint = "WBX315", Wording("chmod o-w {root}, or chmod +t {root}", root=root)
        else:
            return
    yield location.warning(code, message, hint)


def _targets(rule: Rule) -> Iterator[Problem]:
    """Yield a warning for each folder that files cannot be moved to, or out of."""
    for index, trigger in enumerate(rule.triggers):
        if isinstance(trigger, FileTrigger) and any(trigger.targets):
            location = rule.location.at("trigger", index, "file")
            if trigger.root.is_dir() and not os.access(trigger.root, os.W_OK | os.X_OK):
                message = Wording("files cannot be moved out of {root}", root=trigger.root)
                yield location.at("path").warning("WBX351", message, _WRITE)
            for name in TARGETS:
                yield from _target(getattr(trigger, name), trigger.root, location.at(name))


def _target(target: Target, root: Path, location: Location) -> Iterator[Problem]:
    if not isinstance(target, Template) or "{" in target.source:
        return
    folder = root / target.source
    above = next(path for path in (folder, *folder.parents) if path.exists())
    if not above.is_dir():
        yield location.warning("WBX351", Wording("{above} is a file, not a folder", above=above))
    elif not os.access(above, os.W_OK | os.X_OK):
        yield location.warning("WBX351", Wording("files cannot be moved to {folder}", folder=folder), _WRITE)


def _table(rule: Rule) -> Iterator[Problem]:
    """Yield a warning where a table cannot be read as it is now, and for each column that it lacks."""
    if rule.table is None or rule.for_each is None:
        return
    name, path = rule.for_each[0], rule.table.path
    location = rule.location.at("for_each", name)
    wanted = Wanted(
        reader="check",
        path=str(path),
        root=str(path.parent),
        version=None,
        reading=rule.table.reading,
        start=1,
        most=1,
    )
    with closing(RowFiles()) as read:
        first = read(wanted)
    row = next(iter(first.rows), Row(1, None))
    if problem := first.problem or row.problem:
        yield location.warning(
            "WBX357", Wording("{name}: {problem}", name=path.name, problem=worded(problem))
        )
    if isinstance(row.value, Mapping):
        used = {field for part in parts(rule) for field in part.names.get(name, ())}
        for field in sorted(used - row.value.keys()):
            hint = did_you_mean(field, row.value) or Wording("it has {columns}", columns=", ".join(row.value))
            yield location.warning(
                "WBX357", Wording("there is no column `{field}` in {name}", field=field, name=path.name), hint
            )


def _patterns(source: FileTrigger, location: Location) -> Iterator[Problem]:
    """Yield a warning for each pattern that looks like an ending, and is a whole name."""
    for index, glob in enumerate(source.match):
        folders, slash, name = glob.rpartition("/")
        if re.fullmatch(r"\.?[a-z0-9]{1,5}|\.?[A-Z0-9]{1,5}", name) and not (source.root / glob).exists():
            message = Wording("`{glob}` takes only a file that is called `{name}`", glob=glob, name=name)
            hint = Wording(
                "write `{folders}{slash}*.{ending}` for all files with this ending",
                folders=folders,
                slash=slash,
                ending=name.lstrip("."),
            )
            yield location.at(index).warning("WBX354", message, hint)


def _kinds(rule: Rule, source: FileTrigger, location: Location) -> Iterator[Problem]:
    """Yield a warning for each pattern of files whose rows the rule follows, and that cannot be read."""
    if rule.reads != "rows" or source.read.kind:
        return
    for index, glob in enumerate(source.match):
        if re.search(r"\.\w+$", glob):
            try:
                kind_of(glob)
            except WboxError as error:
                yield location.at(index).warning("WBX357", problem_of(error), error.hint)


def _media(project: Project) -> Iterator[Problem]:
    """Yield one warning if files of this machine are sent that wbox cannot fetch from it."""
    location = _first_draft(project, lambda draft: "file" in draft.fields)
    if location is None:
        return
    location, media = location.at("media", "file"), project.settings.media
    url = media.elsewhere or project.settings.public_url
    if url and is_inside(url) and not is_loopback(project.settings.url):
        message = Wording("wbox cannot fetch a file from {url}", url=url)
        yield location.warning("WBX341", message, _PUBLIC_URL)
    if media.static and not os.access(media.static.folder, os.W_OK | os.X_OK):
        message = Wording(
            "files cannot be put into {folder}, which `media.static.folder` names", folder=media.static.folder
        )
        yield location.warning("WBX342", message, f"mkdir -p {media.static.folder}")


def _links(project: Project) -> Iterator[Problem]:
    """Yield one warning if a link is sent that a phone cannot open."""
    url = project.settings.public_url or f"http://{project.settings.listen[0]}"
    location = _first_draft(project, lambda draft: any("ack_url" in part.names for part in draft.templates()))
    if location and is_inside(url):
        message = Wording("`ack_url` begins with {url}, which a phone cannot open", url=url)
        yield location.warning("WBX333", message, _PUBLIC_URL)


def _first_draft(project: Project, matches: Callable[[Draft], bool]) -> Location | None:
    for rule in project.rules:
        for draft, location in _drafts(rule):
            if matches(draft):
                return location
    return None


def _endless(rule: Rule) -> Iterator[Problem]:
    """Yield a warning for each condition that no end of a trouble passes, where the rule would follow it."""
    awaited = [trigger for trigger in rule.triggers if isinstance(trigger, MissingTrigger)]
    if not (rule.group or rule.escalate or any(trigger.resolved for trigger in awaited)):
        return
    for index, condition in enumerate(rule.conditions):
        if _FIRING_ALONE.search(condition.source) and not re.search(r"\bor\b", condition.source):
            message = "no end of a trouble passes this condition, so nobody is told that it is over"
            hint = "leave it out; for no message of an end, write `group: {resolved: false}`"
            yield rule.location.at("if", index).warning("WBX359", message, hint)


def _relays(rule: Rule) -> Iterator[Problem]:
    """Yield a warning for each place where an open hook lets anybody choose who gets a message."""
    hooks = list(rule.hooks())
    open_paths = [hook.path for hook in hooks if hook.scheme is None]
    if not open_paths:
        return
    foreign = {*CALL}.union(*(hook.preset.fields for hook in hooks))
    foreign.update((rule.for_each or ())[:1])
    for templates, location in _recipient_templates(rule):
        if any(_shown(template) & foreign for template in templates):
            message = Wording(
                "anybody who calls the path `{path}` can choose who gets a message", path=open_paths[0]
            )
            hint = "give it a `secret`, or let `to` name people"
            yield location.warning("WBX350", message, hint)


def _recipient_templates(rule: Rule) -> Iterator[tuple[list[Template], Location]]:
    """Yield the templates under each `to` of a rule and of its steps, with their locations."""
    tos = [(rule.to, rule.location.at("to"))]
    tos += [(step.to, rule.location.at("escalate", step.number, "to")) for step in rule.escalate]
    for to, location in tos:
        yield [recipient for recipient in to if isinstance(recipient, Template)], location


def _shown(template: Template) -> set[str]:
    """Return the names in a template whose values can come out of it: not those of its conditions."""
    parts = re.findall(r"\{\{(.*?)\}\}|\{%-?\s*(?:set|for)\b(.*?)%\}", template.source, re.DOTALL)
    text = " \n".join(placeholder + tag for placeholder, tag in parts)
    shown = re.sub(r"\bif\b.*?(\belse\b|$)", " ", text, flags=re.MULTILINE)
    return {*re.findall(r"\w+", shown)} & template.names.keys()
