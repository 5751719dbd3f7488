"""Drafts: from the shape of messages to what is filled in for each reader."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from wbox_notify.config.settings import Settings
from wbox_notify.config.yaml.document import Location
from wbox_notify.errors import MessageError
from wbox_notify.model.addresses import check_public
from wbox_notify.model.messages import KINDS
from wbox_notify.rules.compile.context import BuildContext, is_template
from wbox_notify.rules.models.messages import SEND_KINDS, SendSpec
from wbox_notify.rules.names import Names
from wbox_notify.rules.recipients import Contact, OnCall, People, Person, plain
from wbox_notify.rules.rule import Draft, Translations
from wbox_notify.templates import Template, Templates

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
