"""Models of a rule and of a rule file: keys, values and their meaning."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from wbox_notify.config.fields import Duration, OutletNames
from wbox_notify.config.yaml.validation import (
    Refusal,
    Strict,
    Version,
    empty_map,
    invalid,
    later,
)
from wbox_notify.model.deliveries import LIFETIME, OnUnknown
from wbox_notify.model.texts import Wording
from wbox_notify.rules.models.flow import (
    Dedupe,
    DigestSpec,
    GroupSpec,
    Messages,
    Quiet,
    RemindSpec,
    StatusSpec,
    Steps,
    Throttle,
)
from wbox_notify.rules.models.people import Contacts, Groups, Turns, WindowsByName
from wbox_notify.rules.models.tests import RuleTestSpec
from wbox_notify.rules.models.triggers import Triggers
from wbox_notify.rules.models.values import (
    RecipientsOrVia,
    Slug,
    SomeTexts,
)


def _named_once(items: dict[str, str]) -> dict[str, str]:
    if len(items) != 1:
        raise invalid(
            "WBX215", "`for_each` has one name and one list", "write `for_each: {row: file.json.rows}`"
        )
    return items


def _named(value: Any) -> Any:
    if isinstance(value, str):
        name, _in, items = value.rpartition(" in ")
        raise invalid(
            "WBX215",
            "`for_each` gives each item a name",
            Wording("write `for_each: {{{name}: {items}}}`", name=name or "row", items=items),
        )
    return value


def _nothing_is_none(values: Any) -> Any:
    return [] if values is None else values


class RuleSpec(Strict):
    """One rule."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["to"]}, {"required": ["via"]}]})
    refused: ClassVar[Mapping[str, Refusal]] = {
        **later("vars"),
        "on": Refusal("WBX210", "unknown key `on`", "did you mean `trigger`?"),
        "when": Refusal("WBX210", "unknown key `when`", "did you mean `if`?"),
    }

    id: Slug = Field(description="the name of the rule in logs and commands; unique in all files")
    name: str | None = Field(default=None, description="the name of the rule in messages")
    trigger: Triggers = Field(description="the event that starts the rule, or a list: any of them")
    for_each: Annotated[
        dict[str, str],
        BeforeValidator(
            _named,
            json_schema_input_type=Annotated[
                dict[str, str], Field(json_schema_extra={"minProperties": 1, "maxProperties": 1})
            ],
        ),
        AfterValidator(_named_once),
    ] = Field(
        default={},
        description="a name, and an expression that gives a list: the rule runs for each item; `file.rows`, "
        "`file.lines` and `file.events` (of a calendar) are read row by row, however many; with a schedule "
        "`rows('list.csv')`, `lines('list.txt')` and `events('team.ics')` read a file when the rule is due: "
        "a relative path starts in the project folder, and options are those of `read`, as in "
        "`{row: \"rows('list.csv', delimiter=';')\"}`",
    )
    conditions: SomeTexts = Field(
        default=[], alias="if", description="an expression, or a list of which all must hold: `file.size > 0`"
    )
    status: StatusSpec | None = Field(
        default=None,
        description="whether something is in trouble, of events that do not say so themselves: `{firing: "
        "body.t > 8, resolved: body.t < 6}`",
    )
    remind: RemindSpec | None = Field(
        default=None,
        description='a message some time before or after a date: `{at: "{{ row.date }} 09:00", before: 1d, '
        "key: row.id}`",
    )
    dedupe: Dedupe | None = Field(
        default=None, description="an expression, a list, or a map: the rule runs once for the same value"
    )
    throttle: Throttle | None = Field(
        default=None, description="`3/10m`, or a map: the most events in a time"
    )
    group: GroupSpec | None = Field(default=None, description="one message for events that belong together")
    digest: DigestSpec | None = Field(
        default=None,
        description='one message for each recipient with all events: `{at: "18:00"}`, `{every: 1h}`',
    )
    quiet_hours: Quiet | None = Field(
        default=None,
        description="a time without messages: a window, the name of one, or a map; `ignore` sends also in "
        "the quiet hours of people",
    )
    via: OutletNames = Field(
        default=[],
        description="other services that get the message as plain text, besides `to` or instead of it: the "
        "name of a secret that holds an Apprise URL, such a URL, or a list; for them `contact.name` is the "
        "name of the service and `contact.phone` is empty",
    )
    to: RecipientsOrVia = Field(
        default=(),
        validate_default=True,
        description="recipients: a contact, a group, `tag:ops`, a rotation, a number, a template, or a "
        "list; may be left out with `via`",
    )
    fallback: OutletNames = Field(
        default=[], description="other services, as in `via`, for messages that wbox refuses"
    )
    send: Messages = Field(description="the message, or a list of messages")
    escalate: Steps = Field(
        default=[], description="what happens when nobody answers: a step, or a list of steps"
    )
    priority: Literal["normal", "critical"] = Field(
        default="normal",
        description="`critical` goes before all other messages, within the same pace, and at any hour: no "
        "quiet hours hold it",
    )
    expire_after: Duration = Field(default=LIFETIME, description="how long to try to send a message")
    on_unknown: OnUnknown | None = Field(
        default=None,
        description="what to do with a message that may have been sent: `retry_once` (texts, when left "
        "out), `hold` (all else: it waits for you), `retry` (until wbox says success), `drop`",
    )
    tests: list[RuleTestSpec] = Field(default=[], description="the expected messages for given events")


class RuleFile(Strict):
    """A whole file of `rules/`."""

    # Its parts are looked at one by one, so that no mistake hides another.
    refused: ClassVar[Mapping[str, Refusal]] = later("defaults", hint="set defaults in wbox-notify.yaml")

    version: Version = Field(description="the version of the language: 1")
    contacts: Annotated[dict[str, Any], BeforeValidator(empty_map, json_schema_input_type=Contacts)] = Field(
        default={}, description="people by name: a number, or a map"
    )
    groups: Annotated[dict[str, Any], BeforeValidator(empty_map, json_schema_input_type=Groups)] = Field(
        default={}, description="lists of contacts, groups, tags, rotations and numbers by name"
    )
    on_call: Annotated[dict[str, Any], BeforeValidator(empty_map, json_schema_input_type=Turns)] = Field(
        default={}, description="on-call rotations by name"
    )
    time_windows: Annotated[
        dict[str, Any], BeforeValidator(empty_map, json_schema_input_type=WindowsByName)
    ] = Field(
        default={}, description="windows of time by name: `22:00-07:30`, `Mon-Fri 09:00-18:00`, or a list"
    )
    rules: Annotated[
        list[Any], BeforeValidator(_nothing_is_none, json_schema_input_type=list[RuleSpec] | None)
    ] = Field(default=[], description="the rules")
