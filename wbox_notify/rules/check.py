"""Check: what a look at the disk, and at what is easily forgotten, adds to the problems of a project."""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Location
from wbox_notify.config.yaml.problems import Problem, in_order
from wbox_notify.model.addresses import is_inside, is_loopback, is_loopback_host
from wbox_notify.rules import exposure
from wbox_notify.rules.names import CALL
from wbox_notify.rules.project import Project
from wbox_notify.rules.recipients import Contact, OnCall
from wbox_notify.rules.rule import Draft, Rule
from wbox_notify.rules.triggers import FileTrigger, MissingTrigger, Target, Trigger, WebhookTrigger
from wbox_notify.templates import Template


def check(project: Project) -> list[Problem]:
    """Return the problems of a project, in order, with warnings of what would keep its rules from working."""
    found = [*project.problems, *_empty(project), *_untested(project), *_links(project), *_media(project)]
    found += exposure.exposures(project.settings, running=False)
    found += _relays(project)
    seen = set()
    for rule in project.rules:
        for source, location in _sources(rule):
            what = source.root if isinstance(source, FileTrigger) else source.path
            if what not in seen:
                found += _source(source, location, project.settings)
            if isinstance(source, FileTrigger):
                found += _patterns(source, location.at("file", "match"))
            seen.add(what)
            if isinstance(source, FileTrigger):
                found += exposure.watched(source, location.at("file"), project.settings.own)
        for drafts, location in _sent(rule):
            for index, draft in enumerate(drafts):
                found += exposure.sent(
                    draft, location.at(index), project.settings.own, project.settings.folder
                )
        found += _put_away(rule)
    return list(in_order(found))


def summary(rule: Rule) -> str:
    """Return a rule in one line, such as ``file /srv/invoices *.pdf -> text to 1 number``."""
    numbers = sum(isinstance(to, Contact) for to in rule.to)
    who = [f"{numbers} number{'s' if numbers > 1 else ''}"] if numbers else []
    who += [
        to.name if isinstance(to, OnCall) else to.source.strip()
        for to in rule.to
        if not isinstance(to, Contact)
    ]
    who += [outlet.name for outlet in rule.via]
    kinds = ", ".join(draft.kind for draft in rule.send)
    return f"{' or '.join(map(_trigger, rule.triggers))} -> {kinds} to {', '.join(who)}"


def _trigger(trigger: Trigger) -> str:
    if isinstance(trigger, FileTrigger):
        return f"file {trigger.root} {', '.join(trigger.match)}"
    if isinstance(trigger, WebhookTrigger):
        notes = ", ".join(trigger.scheme.notes if trigger.scheme else ("open",))
        return f"webhook /hook/{trigger.path}{f' ({notes})' if notes else ''}"
    if isinstance(trigger, MissingTrigger):
        return f"missing {_trigger(trigger.of)} by {trigger.by.describe().removeprefix('at ')}"
    return f"schedule {trigger.schedule.describe()}"


def _sources(rule: Rule) -> Iterator[tuple[FileTrigger | WebhookTrigger, Location]]:
    """Yield the sources of a rule with the places where they stand."""
    for index, trigger in enumerate(rule.triggers):
        location = rule.location.at("trigger").at(index)
        if isinstance(trigger, FileTrigger | WebhookTrigger):
            yield trigger, location
        elif isinstance(trigger, MissingTrigger):
            yield trigger.of, location.at("missing", "of")


def _sent(rule: Rule) -> Iterator[tuple[tuple[Draft, ...], Location]]:
    """Yield what a rule and its steps send, with the places where it stands."""
    yield rule.send, rule.location.at("send")
    for index, step in enumerate(rule.escalate):
        yield step.send, rule.location.at("escalate").at(index).at("send")


def _empty(project: Project) -> Iterator[Problem]:
    """Yield an error for a folder that has no rules, good or bad."""
    folder = project.settings.folder
    if (folder / "wbox-notify.yml").is_file():
        hint = "call it wbox-notify.yaml"
        message = "this file is not read"
        yield Problem(file="wbox-notify.yml", code="WBX356", message=message, hint=hint, severity="warning")
    if project.rules or project.problems:
        return
    hint = "a project has its rules in rules/*.yaml"
    if folder.name == "rules":
        hint = f"the project is the folder above: {folder.parent}"
    yield Problem(file=str(folder), code="WBX353", message="there are no rules here", hint=hint)


def _untested(project: Project) -> Iterator[Problem]:
    """Yield one warning for each file with rules that have no test."""
    files = {rule.file: rule for rule in reversed(project.rules) if not rule.tests}
    for file, first in files.items():
        names = [rule.id for rule in project.rules if rule.file == file and not rule.tests]
        message = f"no test: {', '.join(names)}" if len(names) > 1 else f"`{names[0]}` has no test"
        hint = "a test under `tests:` shows that a rule does what you mean"
        yield first.location.at("id").problem("WBX330", message, hint=hint, severity="warning")


def _source(
    source: FileTrigger | WebhookTrigger, location: Location, settings: Settings
) -> Iterator[Problem]:
    if isinstance(source, WebhookTrigger):
        yield from _secret(source, location)
        yield from _open(source, location, settings.listen[0])
    elif not settings.own.at(source.root):
        yield from _folder(source, location)


def _folder(source: FileTrigger, trigger: Location) -> Iterator[Problem]:
    root, location = source.root, trigger.at("file", "path")
    try:
        mode = root.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        message = f"the folder {root} does not exist yet"
        yield location.problem("WBX310", message, hint=f"mkdir -p {root}", severity="warning")
        return
    except OSError as error:
        message = f"the folder {root} cannot be looked at: {error.strerror}"
        yield location.problem("WBX312", message, severity="warning")
        return
    if not stat.S_ISDIR(mode):
        hint = "name the folder, and the file under `match`"
        yield location.problem("WBX312", f"{root} is not a folder", hint=hint, severity="warning")
    elif not os.access(root, os.R_OK | os.X_OK):
        hint = "give the user that runs this the right to read it"
        yield location.problem("WBX312", f"the folder {root} cannot be read", hint=hint, severity="warning")
    elif mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        message = f"everybody on this machine can write to {root} and replace what others dropped"
        yield location.problem(
            "WBX315", message, hint=f"chmod o-w {root}, or chmod +t {root}", severity="warning"
        )


def _put_away(rule: Rule) -> Iterator[Problem]:
    """Yield a warning for each folder that files cannot be moved to, or out of."""
    for index, trigger in enumerate(rule.triggers):
        if isinstance(trigger, FileTrigger) and any(trigger.targets):
            location = rule.location.at("trigger").at(index).at("file")
            if trigger.root.is_dir() and not os.access(trigger.root, os.W_OK | os.X_OK):
                hint = "give the user that runs this the right to write there"
                message = f"files cannot be moved out of {trigger.root}"
                yield location.at("path").problem("WBX351", message, hint=hint, severity="warning")
            for name in ("done", "failed", "duplicate"):
                yield from _target(getattr(trigger, name), trigger.root, location.at(name))


def _target(target: Target, root: Path, location: Location) -> Iterator[Problem]:
    if not isinstance(target, Template) or "{" in target.source:
        return
    folder = root / target.source
    above = next(one for one in (folder, *folder.parents) if one.exists())
    if not above.is_dir():
        yield location.problem("WBX351", f"{above} is a file, not a folder", severity="warning")
    elif not os.access(above, os.W_OK | os.X_OK):
        hint = "give the user that runs this the right to write there"
        yield location.problem("WBX351", f"files cannot be moved to {folder}", hint=hint, severity="warning")


def _patterns(source: FileTrigger, location: Location) -> Iterator[Problem]:
    """Yield a warning for each pattern that looks like an ending, and is a whole name."""
    for index, glob in enumerate(source.match):
        folders, slash, name = glob.rpartition("/")
        if re.fullmatch(r"\.?[a-z0-9]{1,5}|\.?[A-Z0-9]{1,5}", name) and not (source.root / glob).exists():
            message = f"`{glob}` takes only a file that is called `{name}`"
            hint = f"write `{folders}{slash}*.{name.lstrip('.')}` for all files with this ending"
            yield location.at(index).problem("WBX354", message, hint=hint, severity="warning")


def _secret(source: WebhookTrigger, trigger: Location) -> Iterator[Problem]:
    if source.scheme and source.scheme.weak:
        message = f"a secret of the path `{source.path}` is short enough to be guessed"
        hint = "make a longer one: openssl rand -hex 32"
        yield trigger.at("webhook", "secret").problem("WBX332", message, hint=hint, severity="warning")


def _open(source: WebhookTrigger, trigger: Location, host: str) -> Iterator[Problem]:
    if source.scheme is None and not is_loopback_host(host):
        message = f"anybody who reaches {host or 'this machine'} can call the path `{source.path}`"
        hint = "give it a `secret`, or let the daemon listen at 127.0.0.1"
        yield trigger.at("webhook", "open").problem("WBX335", message, hint=hint, severity="warning")


def _media(project: Project) -> Iterator[Problem]:
    """Yield one warning if files of this machine are sent that wbox cannot fetch from it."""
    settings, static = project.settings, project.settings.media.static
    url = settings.media.elsewhere or settings.public_url
    sent = (
        sent.at(index).at("media", "file")
        for rule in project.rules
        for drafts, sent in _sent(rule)
        for index, draft in enumerate(drafts)
        if "file" in draft.fields
    )
    if not (location := next(sent, None)):
        return
    if url and is_inside(url) and not is_loopback(settings.url):
        message = f"wbox cannot fetch a file from {url}"
        hint = "set `public_url` in wbox-notify.yaml to an address that reaches the daemon"
        yield location.problem("WBX341", message, hint=hint, severity="warning")
    if static and not os.access(static.folder, os.W_OK | os.X_OK):
        message = f"files cannot be put into {static.folder}, which `media.static.folder` names"
        yield location.problem("WBX342", message, hint=f"mkdir -p {static.folder}", severity="warning")


def _links(project: Project) -> Iterator[Problem]:
    """Yield one warning if a link is sent that a phone cannot open."""
    url = project.settings.public_url or f"http://{project.settings.listen[0]}"
    linked = (
        sent.at(index)
        for rule in project.rules
        for drafts, sent in _sent(rule)
        for index, draft in enumerate(drafts)
        if any("ack_url" in template.names for template in draft.templates())
    )
    if is_inside(url) and (location := next(linked, None)):
        message = f"`ack_url` begins with {url}, which a phone cannot open"
        hint = "set `public_url` in wbox-notify.yaml to an address that reaches the daemon"
        yield location.problem("WBX333", message, hint=hint, severity="warning")


def _relays(project: Project) -> Iterator[Problem]:
    """Yield one warning for each place where an open hook lets anybody choose who gets a message."""
    for rule in project.rules:
        doors = [source for source in rule.sources() if isinstance(source, WebhookTrigger)]
        paths = [door.path for door in doors if door.scheme is None]
        names = {*CALL, *(name for door in doors for name in door.preset.fields)}
        names |= {rule.for_each[0]} if rule.for_each else set()
        steps = [(step.to, rule.location.at("escalate").at(at)) for at, step in enumerate(rule.escalate)]
        for to, location in [(rule.to, rule.location), *steps] if paths else ():
            if any(isinstance(one, Template) and _shown(one) & names for one in to):
                message = f"anybody who calls the path `{paths[0]}` can choose who gets a message"
                hint = "give it a `secret`, or let `to` name people"
                yield location.at("to").problem("WBX350", message, hint=hint, severity="warning")


def _shown(template: Template) -> set[str]:
    """Return the words of a template that can come out of it: not what only a condition looks at."""
    parts = re.findall(r"\{\{(.*?)\}\}|\{%-?\s*(?:set|for)\b(.*?)%\}", template.source, re.DOTALL)
    shown = re.sub(r"\bif\b.*?(\belse\b|$)", " ", " \n".join(map("".join, parts)), flags=re.MULTILINE)
    return {*re.findall(r"\w+", shown)} & template.names.keys()
