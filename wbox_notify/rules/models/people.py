"""Models of the sections about people and times: contacts, groups, on-call rotations and windows."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from wbox_notify.config.fields import DurationText, Language, Zone
from wbox_notify.config.values import parse_duration
from wbox_notify.config.yaml.validation import Strict, as_list, invalid, parsed
from wbox_notify.errors import ConfigError
from wbox_notify.rules.models.values import Moment, PhoneText, Recipients, SomeTexts, Texts

_DAY = 86_400


def _whole_days(text: str) -> int:
    days, rest = divmod(parse_duration(text), _DAY)
    if rest or not days:
        raise ConfigError("a turn is a number of whole days", hint="write it like 1d or 1w")
    return int(days)


def _tag(tags: list[str]) -> list[str]:
    if any("," in tag or not tag.strip() for tag in tags):
        raise invalid("WBX215", "a tag is a word without commas", "give several tags as a list: [ops, night]")
    return [tag.strip() for tag in tags]


Days = Annotated[int, parsed(_whole_days, int, float, schema=DurationText)]


class ContactSpec(Strict):
    """A person with a phone; a number alone is short for `phone`."""

    phone: PhoneText = Field(
        description="the number, with its country code or as people in `defaults.region` write it"
    )
    name: str | None = Field(default=None, description="the name of the person in messages")
    tz: Zone | None = Field(default=None, description="the time zone of the person, such as `Europe/Berlin`")
    lang: Language | None = Field(default=None, description="the language of dates and numbers, such as `de`")
    quiet_hours: SomeTexts | None = Field(
        default=None, description="when the person gets no messages: a window, or the name of one"
    )
    tags: Annotated[Texts, AfterValidator(_tag)] = Field(
        default=[], description="`tag:ops` names all with this tag"
    )


class GroupMembersSpec(Strict):
    """The members of a group."""

    members: Annotated[list[PhoneText], BeforeValidator(as_list)]


class WindowSpec(Strict):
    """When a window is open."""

    spans: SomeTexts


class OnCallSpec(Strict):
    """An on-call rotation."""

    rotate: Recipients = Field(description="the contacts, in order")
    every: Days = Field(description="the length of a turn, in whole days: `1d`, `1w`")
    start: Moment = Field(alias="from", description="the start of the first turn, such as `2026-01-05 09:00`")
    tz: Zone | None = Field(default=None, description="the time zone, if it is not that of the settings")


def as_contact(entry: Any) -> Any:
    """Return a number alone as a map."""
    if isinstance(entry, dict):
        return entry
    return {"phone": entry}


SECTIONS = ("contacts", "groups", "on_call", "time_windows")
"""The sections about people and times; they may stand in the settings and in any rule file."""

Contacts = dict[str, PhoneText | ContactSpec] | None
Groups = dict[str, PhoneText | list[PhoneText]] | None
Turns = dict[str, OnCallSpec] | None
WindowsByName = dict[str, str | Annotated[list[str], Field(min_length=1)]] | None
