"""The shape of contacts, groups and turns."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from wbox_notify.config.durations import parse_duration
from wbox_notify.config.yaml.validation import Strict, listed, reading, wrong
from wbox_notify.errors import ConfigError
from wbox_notify.rules.models.values import (
    DurationText,
    Language,
    Moment,
    PhoneText,
    Recipients,
    SomeTexts,
    Texts,
    Zone,
)

_DAY = 86_400


def _whole_days(text: str) -> int:
    days, rest = divmod(parse_duration(text), _DAY)
    if rest or not days:
        raise ConfigError("a turn is a number of whole days", hint="write it like 1d or 1w")
    return int(days)


def _tag(tags: list[str]) -> list[str]:
    if any("," in tag or not tag.strip() for tag in tags):
        raise wrong("WBX215", "a tag is a word without commas", "give several tags as a list: [ops, night]")
    return [tag.strip() for tag in tags]


Days = Annotated[int, BeforeValidator(reading(_whole_days, int, float), json_schema_input_type=DurationText)]


class ContactSpec(Strict):
    """Somebody with a phone; a number alone stands for `phone`."""

    phone: PhoneText = Field(description="the number, with its country code")
    name: str | None = Field(default=None, description="what the person is called in messages")
    tz: Zone | None = Field(
        default=None, description="where the person's clocks are, such as `Europe/Berlin`"
    )
    lang: Language | None = Field(default=None, description="the language of dates and numbers, such as `de`")
    quiet_hours: SomeTexts | None = Field(
        default=None, description="when the person is not to be disturbed: a window, or the name of one"
    )
    tags: Annotated[Texts, AfterValidator(_tag)] = Field(
        default=[], description="`tag:ops` names all with this tag"
    )


class GroupMembersSpec(Strict):
    """Who is in a group."""

    members: Annotated[list[PhoneText], BeforeValidator(listed)]


class WindowSpec(Strict):
    """When a window is open."""

    spans: SomeTexts


class OnCallSpec(Strict):
    """Whose turn it is."""

    rotate: Recipients = Field(description="the contacts that take turns, in order")
    every: Days = Field(description="how long a turn is, in whole days: `1d`, `1w`")
    start: Moment = Field(alias="from", description="when the first turn begins, such as `2026-01-05 09:00`")
    tz: Zone | None = Field(default=None, description="where that is, if it is not the zone of the settings")


def as_contact(entry: Any) -> Any:
    """Return a number alone as a map."""
    return entry if isinstance(entry, dict) else {"phone": entry}
