"""Compile messages, recipients and flow: dedupe, throttle, group, digest, quiet hours, escalation."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from wbox_notify.clients.apprise import is_url
from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Location
from wbox_notify.errors import MessageError
from wbox_notify.model.addresses import check_public
from wbox_notify.model.messages import KINDS
from wbox_notify.rules.compile.context import BuildContext, is_template
from wbox_notify.rules.compile.triggers import times
from wbox_notify.rules.models import RuleSpec
from wbox_notify.rules.models.flow import (
    SEND_KINDS,
    DedupeSpec,
    GroupSpec,
    QuietSpec,
    SendSpec,
    StepSpec,
    ThrottleSpec,
)
from wbox_notify.rules.names import ROWS, Names, Scope, is_free, with_rows
from wbox_notify.rules.recipients import (
    Contact,
    OnCall,
    Outlet,
    People,
    Person,
    distinct,
    plain,
    recipient_problem,
)
from wbox_notify.rules.rule import Dedupe, Digest, Draft, Group, QuietHours, Step, Throttle, Translations
from wbox_notify.templates import Expression, Template, Templates

Recipient = Person | Template

_ALONE = re.compile(r"\s*(?:\{\{)?\s*file\s*\.\s*\w+\s*(?:\}\})?\s*")


def for_each(
    shop: BuildContext, spec: RuleSpec, offered: Scope, spot: Location
) -> tuple[str, Expression] | None:
    """Return the name of an item and the list of them."""
    for trigger in spec.trigger if spec.for_each else ():
        if trigger.file and trigger.file.burst:
            message = "`burst` counts files, and `for_each` follows what is in them"
            shop.problems.append(spot.key_problem("WBX317", message, hint="leave one of them out"))
    for name, text in spec.for_each.items():
        if not is_free(name):
            hint = "call it `row` or `item`: a name with letters that means nothing yet"
            message = f"an item cannot be called `{name}`"
            shop.problems.append(spot.at(name).key_problem("WBX318", message, hint=hint))
        items = shop.expression(text, with_rows(offered.event), spot.at(name))
        return (name, items) if items else None
    return None


def reads(
    shop: BuildContext, spec: RuleSpec, each: tuple[str, Expression] | None, spot: Location
) -> str | None:
    """Return what of a file a rule follows row by row, if it does."""
    name, items = each or ("", None)
    found = items.names.get("file", frozenset()) & ROWS if items else frozenset()
    if items is None or not found:
        return None
    field = min(found)
    if not _ALONE.fullmatch(items.source):
        hint = f"write `for_each: {{{name}: file.{field}}}`, and choose rows with `if`"
        shop.problems.append(spot.at(name).problem("WBX318", f"`file.{field}` stands alone", hint=hint))
    if any(one.file is None for one in spec.trigger):
        hint = "make every `trigger` of the rule a `file`"
        message = f"`file.{field}` needs a file each time"
        shop.problems.append(spot.at(name).problem("WBX318", message, hint=hint))
    return field


def dedupe(shop: BuildContext, spec: DedupeSpec | None, offered: Scope, spot: Location) -> Dedupe | None:
    """Return what makes two events the same."""
    if spec is None:
        return None
    return Dedupe(shop.expressions(spec.key, offered.item, spot.at("key")), spec.keep)


def throttle(
    shop: BuildContext, spec: ThrottleSpec | None, offered: Scope, spot: Location
) -> Throttle | None:
    """Return how many are followed."""
    if spec is None:
        return None
    key = shop.expressions(spec.key, offered.item, spot.at("key"))
    return Throttle(most=spec.max, per=spec.per, key=key, overflow=spec.overflow)


def group(shop: BuildContext, spec: GroupSpec | None, offered: Scope, spot: Location) -> Group | None:
    """Return what belongs together."""
    if spec is None:
        return None
    return Group(
        by=shop.expressions(spec.by, offered.item, spot.at("by")),
        wait=spec.wait,
        interval=spec.interval,
        repeat=spec.repeat,
        resolved=spec.resolved,
    )


def digest(shop: BuildContext, spec: RuleSpec, spot: Location) -> Digest | None:
    """Return when all is told at once."""
    if spec.digest is None:
        return None
    if spec.group is not None:
        message = "`group` and `digest` are two ways to tell of many events in one message"
        shop.problems.append(spot.key_problem("WBX317", message, hint="leave one of them out"))
    found = times(shop, spec.digest, spot)
    return Digest(found) if found else None


def quiet_hours(
    shop: BuildContext, spec: QuietSpec | None, offered: Scope, spot: Location
) -> QuietHours | None:
    """Return when nobody is disturbed."""
    if spec is None:
        return None
    window = shop.windows.read(spec.window, spot.at("window"), shop.problems)
    unless = shop.expression(spec.unless, offered.told, spot.at("unless"))
    return QuietHours(window=window, unless=unless, then=spec.then) if window else None


def recipients(shop: BuildContext, texts: list[str], offered: Names, spot: Location) -> tuple[Recipient, ...]:
    """Return who is meant by the texts of a list at a spot."""
    people: list[Person] = []
    templates: list[Template] = []
    for index, text in enumerate(texts):
        at = spot.at(index)
        if not is_template(text):
            people += named(shop, text, at)
        elif template := shop.template(text, offered, at):
            templates.append(template)
    return (*distinct(people), *templates)


def outlets(shop: BuildContext, texts: list[str], spot: Location) -> tuple[Outlet, ...]:
    """Return the outlets of a list at a spot."""
    return tuple(map(Outlet, shop.outlet_names(texts, spot)))


def step(shop: BuildContext, spec: StepSpec, offered: Scope, spot: Location) -> Step:
    """Return a step of an escalation."""
    unless = shop.expression(spec.unless, offered.answer, spot.at("unless"))
    condition = shop.expression(spec.condition, offered.answer, spot.at("if"))
    to = recipients(shop, spec.to, offered.answer, spot.at("to"))
    before = len(shop.problems)
    send = drafts(shop, spec.send, offered.reminder, spot.at("send"))
    right = shop.is_right(before)
    return Step(
        after=spec.after,
        unless=unless,
        condition=condition,
        to=to,
        via=outlets(shop, spec.via, spot.at("via")),
        send=send,
        translations=translations(shop, spec.send, readers(to, shop.people), spot.at("send"))
        if right
        else {},
    )


def named(shop: BuildContext, text: str, spot: Location) -> tuple[Person, ...]:
    """Return who is meant by a literal text; nobody where it is wrong."""
    if is_url(text):
        message, hint = "nobody here has an address like that", "other services are named under `via`"
        shop.problems.append(spot.problem("WBX303", message, hint=hint))
        return ()
    try:
        return shop.people.named(text)
    except MessageError as error:
        shop.problems.append(recipient_problem(error, spot))
        return ()


_SOMEBODY = "905551234567"
_SOMEWHERE = "https://example.com/"


class _Part(NamedTuple):
    """One message as it is written: its kind, its texts and where they stand."""

    kind: str
    texts: dict[str, Any]
    spots: dict[str, Location]
    device: int | None


def drafts(
    shop: BuildContext, specs: Sequence[SendSpec], offered: Names, spot: Location
) -> tuple[Draft, ...]:
    """Return the messages of a list at a spot; what is wrong in them is reported."""
    return tuple(_draft(shop, _part(spec, spot.at(index)), offered) for index, spec in enumerate(specs))


def translations(
    shop: BuildContext, specs: Sequence[SendSpec], readers: Iterable[Contact], spot: Location
) -> Translations:
    """Return right messages once more for each zone and language that some readers have of their own."""
    parts = [_part(spec, spot.at(index)) for index, spec in enumerate(specs)]
    own = (shop.settings.tz, shop.settings.lang)
    locales = {
        (reader.zone or shop.settings.tz, reader.lang or shop.settings.lang): None for reader in readers
    }
    return {
        (str(zone), lang): tuple(_translated(shop, part, shop.templates_for(zone, lang)) for part in parts)
        for zone, lang in locales
        if (zone, lang) != own
    }


def readers(to: Iterable[Person | Template], people: People) -> Iterable[Contact]:
    """Return all who may be meant."""
    found: list[Contact] = []
    for one in to:
        if isinstance(one, Template):
            return people.contacts.values()
        found += one.rotation if isinstance(one, OnCall) else (one,)
    return found


def _part(spec: SendSpec, spot: Location) -> _Part:
    kind = next(kind for kind in SEND_KINDS if getattr(spec, kind) is not None)
    value = getattr(spec, kind)
    alone = isinstance(value, str)
    texts = {"message": value} if alone else {name: text for name, text in value if text is not None}
    spots = {name: spot.at(kind) if alone else spot.at(kind, name) for name in texts}
    return _Part(kind, texts, spots, spec.device)


def _draft(shop: BuildContext, part: _Part, offered: Names) -> Draft:
    if part.kind == "template":
        made = shop.made(shop.templates.file, part.texts["message"], offered, part.spots["message"])
        fields: dict[str, Any] = {"message": made}
    else:
        _check(shop, part)
        fields = {name: _filled(shop, text, offered, part.spots[name]) for name, text in part.texts.items()}
    return _made(part, {name: template for name, template in fields.items() if template}, shop.settings)


def _filled(
    shop: BuildContext, text: str | list[str], offered: Names, spot: Location
) -> Template | tuple[Template, ...] | None:
    if isinstance(text, str):
        return shop.template(text, offered, spot)
    found = (shop.template(part, offered, spot.at(index)) for index, part in enumerate(text))
    return tuple(template for template in found if template)


def _translated(shop: BuildContext, part: _Part, templates: Templates) -> Draft:
    make = templates.file if part.kind == "template" else templates.text
    fields = {
        name: make(text) if isinstance(text, str) else tuple(map(make, text))
        for name, text in part.texts.items()
    }
    return _made(part, fields, shop.settings)


def _made(part: _Part, fields: dict[str, Any], settings: Settings) -> Draft:
    kind = "text" if part.kind == "template" else part.kind
    return Draft(kind, fields, part.device or settings.device_id)


def _check(shop: BuildContext, part: _Part) -> None:
    """Report what can be known to be unsendable before there is an event."""
    tried = {name: _stand_in(name, text) for name, text in part.texts.items()}
    code = "WBX311"
    try:
        KINDS[part.kind](phone=_SOMEBODY, **tried)
        code = "WBX313"
        if "url" in tried:
            check_public(tried["url"], shop.settings.url)
    except MessageError as error:
        spot, message = part.spots[error.field], plain(error)
        message = f"`{spot.steps[-1]}` {message}" if message.startswith("is ") else message
        shop.problems.append(spot.problem(code, message, hint=error.hint))
    if "file" in tried:
        _check_reach(shop, part.spots["file"])


def _check_reach(shop: BuildContext, spot: Location) -> None:
    """Report a file of this machine where wbox has no way to fetch it."""
    if not shop.settings.lends_files:
        message = "wbox fetches media from an address, and nothing says at which one it finds this machine"
        hint = (
            "set `public_url` (where the daemon is reached), `media.static` (a folder that a web server"
            " serves) or `media.bucket` in wbox-notify.yaml, or send `url`: see docs/media.md"
        )
        shop.problems.append(spot.problem("WBX340", message, hint=hint))


def _stand_in(name: str, text: Any) -> Any:
    """Return a literal text as it is, and for a template something that could come of it."""
    if isinstance(text, list):
        return tuple(f"{index}: {part}" if is_template(part) else part for index, part in enumerate(text))
    if is_template(text):
        return _SOMEWHERE if name == "url" else text
    return text
