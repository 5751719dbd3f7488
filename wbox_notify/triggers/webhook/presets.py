"""Presets: the calls of known senders, and the fields of them that rules may name."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from wbox_notify.model.texts import Wording
from wbox_notify.triggers.webhook.bodies import BodyError, any_body, json_body, object_body
from wbox_notify.triggers.webhook.signatures import Call, Scheme, delivery

Headers = Mapping[str, str]
"""The headers of a call; the names are in lower case."""

Fields = Mapping[str, Mapping[str, Any]]
"""Names with their fields, and the value of each field where the sender leaves it out."""

Status = Literal["firing", "resolved"]

_MAX_CHALLENGE = 1000
_KINDS = {
    dict: Wording("an object"),
    list: Wording("a list"),
    str: Wording("text"),
    int: Wording("a whole number"),
}
_STATUS: Mapping[str, Status] = {"firing": "firing", "resolved": "resolved"}
_KUMA = {0: "firing", 1: "resolved", 2: "pending", 3: "maintenance"}
_HEALTHCHECKS: Mapping[str, Status] = {"down": "firing", "up": "resolved"}

_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"

_ALERT: Mapping[str, Any] = {
    "status": "",
    "labels": {},
    "annotations": {},
    "startsAt": "",
    "endsAt": "",
    "generatorURL": "",
    "fingerprint": "",
    "truncatedAlerts": 0,
}
_GRAFANA: Mapping[str, Any] = {
    **_ALERT,
    "values": {},
    "valueString": "",
    "silenceURL": "",
    "dashboardURL": "",
    "panelURL": "",
    "imageURL": "",
    "orgId": None,
}
_COMMON = {"truncatedAlerts", "orgId"}
"""The fields that a call gives once for all its alerts: how many it left out, and whose they are."""

_CHECK: Mapping[str, Any] = {"id": "", "name": "", "status": ""}
_MONITOR: Mapping[str, Any] = {**_CHECK, "message": "", "monitor": {}, "heartbeat": {}}

_WOO_SIGNATURE = b"x-wc-webhook-signature"
_WOO_PING = re.compile(rb"webhook_id=[0-9]{1,20}")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that a call reports.

    Attributes:
        data: The names that rules see besides ``body``, ``headers`` and ``query``.
        type: The ``event.type``, where the sender has a name for it.
        key: The same in all reports of one alert.
        status: Whether the alert is on; None where the call does not say.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    type: str | None = None
    key: str | None = None
    status: Status | None = None


def _no_answer(_body: Any, _headers: Headers) -> None:
    """Treat each call as an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One kind of sender; a body is plain data here.

    Attributes:
        scheme: How it proves itself where a rule does not say; a kind of ``signatures.scheme``.
        items: Returns the items that a call reports. It raises BodyError, which names what is missing.
        read: Returns the body as plain data, from its content type and its bytes. It raises BodyError.
        answer: Returns the answer, as JSON, to a call that only tests the hook; None if the call is an event.
            Call it only after the signature was checked.
        fields: The names that ``items`` adds for rules.
        silent: Whether the sender shows the answer to people, so that it is 200 without a text.
    """

    scheme: str
    items: Callable[[Any, Headers], list[Item]]
    read: Callable[[str, bytes], Any] = object_body
    answer: Callable[[Any, Headers], Mapping[str, Any] | None] = _no_answer
    fields: Fields = field(default_factory=dict)
    silent: bool = False

    def delivery_id(self, body: Any, headers: Headers) -> str | None:
        """Return the id that this delivery keeps when it comes again, or None if it has none."""
        return delivery(self.scheme).find(headers, body)


def is_ping(call: Call, scheme: Scheme | None) -> bool:
    """Return whether WooCommerce only tests whether the hook exists, as it does when the hook is saved.

    It posts the number of the hook without a signature, and shows an error unless the answer is 200.
    """
    if not _WOO_PING.fullmatch(call.body) or call.values(_WOO_SIGNATURE):
        return False
    if scheme is None:
        return any(agent.startswith(b"WooCommerce/") for agent in call.values(b"user-agent"))
    return _WOO_SIGNATURE in scheme.secret_headers


def _json(_body: Any, _headers: Headers) -> list[Item]:
    return [Item()]


def _validation(body: Any, _headers: Headers) -> Mapping[str, Any] | None:
    """Answer Azure Event Grid, which wants its code back before it sends events."""
    if not isinstance(body, list) or len(body) != 1 or _get(body[0], "eventType") != _VALIDATION:
        return None
    code = _get(_get(body[0], "data"), "validationCode")
    if not _is_challenge(code):
        return None
    return {"validationResponse": code}


def _payload(fields: Mapping[str, Any]) -> Any:
    """Return the JSON that GitHub and Slack put into a form."""
    return json_body(_part(fields, "payload", str).encode())


def _github_body(content_type: str, body: bytes) -> Any:
    return object_body(content_type, body, _payload)


def _github(_body: Any, headers: Headers) -> list[Item]:
    return [Item(type=_header(headers, "X-GitHub-Event"))]


def _github_ping(_body: Any, headers: Headers) -> Mapping[str, Any] | None:
    if headers.get("x-github-event") != "ping":
        return None
    return {"status": "pong"}


def _gitlab(_body: Any, headers: Headers) -> list[Item]:
    return [Item(type=_header(headers, "X-Gitlab-Event"))]


def _stripe(body: Any, _headers: Headers) -> list[Item]:
    return [Item(type=_part(body, "type", str))]


def _slack_body(content_type: str, body: bytes) -> Any:
    """Return JSON, the JSON in a form (a button was pressed), or the form itself (a slash command)."""

    def payload_or_form(form: dict[str, Any]) -> Any:
        if "payload" in form:
            return _payload(form)
        return form

    return object_body(content_type, body, payload_or_form)


def _slack(body: Any, _headers: Headers) -> list[Item]:
    if isinstance(body, dict) and "command" in body:
        return [Item(type="slash_command")]
    if isinstance(body, dict) and "event" in body:
        return [Item(type=_part(_part(body, "event", dict), "type", str, "event"))]
    return [Item(type=_part(body, "type", str))]


def _slack_challenge(body: Any, _headers: Headers) -> Mapping[str, Any] | None:
    if _get(body, "type") != "url_verification":
        return None
    challenge = _get(body, "challenge")
    if not _is_challenge(challenge):
        return None
    return {"challenge": challenge}


def _is_challenge(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_CHALLENGE


def _alertmanager(body: Any, _headers: Headers) -> list[Item]:
    return _alerts(body, _ALERT)


def _grafana(body: Any, _headers: Headers) -> list[Item]:
    return _alerts(body, _GRAFANA)


def _alerts(body: Any, fields: Mapping[str, Any]) -> list[Item]:
    """Return each alert of a call; one without a fingerprint gets one of its labels."""
    alerts = _part(body, "alerts", list)
    common = {name: body[name] for name in _COMMON & fields.keys() if isinstance(body.get(name), int)}
    return [_alert(alert, f"alerts[{number}]", common, fields) for number, alert in enumerate(alerts)]


def _alert(alert: Any, path: str, common: Mapping[str, Any], fields: Mapping[str, Any]) -> Item:
    status = _STATUS.get(_part(alert, "status", str, path))
    if status is None:
        raise BodyError(Wording("`{path}.status` is neither firing nor resolved", path=path))
    labels = json.dumps(_part(alert, "labels", dict, path), sort_keys=True)
    key = alert.get("fingerprint")
    if not isinstance(key, str) or not key:
        key = hashlib.sha256(labels.encode()).hexdigest()[:32]
    alert = {**common, **alert, "fingerprint": key}
    return Item(data={"alert": _filled(alert, fields)}, key=key, status=status)


def _filled(alert: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return an alert with each field that rules may name; one that is missing, or null, is empty."""
    filled = dict(alert)
    for name, empty in fields.items():
        if filled.get(name) is None:
            filled[name] = empty
    return filled


def _uptime_kuma(body: Any, _headers: Headers) -> list[Item]:
    """Return the monitor that changed; or a notice without one.

    Uptime Kuma sends null for both parts when its test button is pressed and when a certificate ends soon.
    """
    message = _part(body, "msg", str)
    if "heartbeat" in body and body["heartbeat"] is None and body.get("monitor") is None:
        notice = {"name": "Uptime Kuma", "status": "notice", "message": message}
        return [Item(data={"alert": _filled(notice, _MONITOR)})]
    heartbeat, monitor = _part(body, "heartbeat", dict), _part(body, "monitor", dict)
    key = str(_part(monitor, "id", int, "monitor"))
    status = _KUMA.get(_part(heartbeat, "status", int, "heartbeat"), "unknown")
    alert = {
        "id": key,
        "name": monitor.get("name"),
        "status": status,
        "message": heartbeat.get("msg") or message,
        "monitor": monitor,
        "heartbeat": heartbeat,
    }
    return [Item(data={"alert": _filled(alert, _MONITOR)}, key=key, status=_STATUS.get(status))]


def _healthchecks(body: Any, _headers: Headers) -> list[Item]:
    """Return the check that went down or up.

    The body is free in Healthchecks. Paste this into the webhook, for down and for up; more keys do no harm,
    and rules see them as ``body``:

        {"code": "$CODE", "name": $NAME_JSON, "status": "$STATUS"}
    """
    key = _part(body, "code", str)
    status = _HEALTHCHECKS.get(_part(body, "status", str))
    if status is None:
        raise BodyError("`status` is neither down nor up")
    alert = {"id": key, "name": body.get("name"), "status": status}
    return [Item(data={"alert": _filled(alert, _CHECK)}, key=key, status=status)]


def _get(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None


def _part(holder: Any, name: str, kind: type[_T], path: str = "") -> _T:
    """Return a part of an object; BodyError, with its whole path, if it is missing or of another kind."""
    where = f"{path}.{name}" if path else name
    if not isinstance(holder, dict) and not path:
        raise BodyError("the body is not a JSON object")
    if not isinstance(holder, dict):
        raise BodyError(Wording("`{path}` is not an object", path=path))
    if name not in holder:
        raise BodyError(Wording("`{where}` is missing", where=where))
    part = holder[name]
    if not isinstance(part, kind) or isinstance(part, bool):
        raise BodyError(Wording("`{where}` is not {kind}", where=where, kind=_KINDS[kind]))
    return part


def _header(headers: Headers, name: str) -> str:
    if name.lower() not in headers:
        raise BodyError(Wording("the header {name} is missing", name=name))
    return headers[name.lower()]


PRESETS: Mapping[str, Preset] = {
    "json": Preset(scheme="bearer", items=_json, read=any_body, answer=_validation),
    "github": Preset(scheme="github", items=_github, read=_github_body, answer=_github_ping),
    "gitlab": Preset(scheme="gitlab", items=_gitlab),
    "alertmanager": Preset(scheme="bearer", items=_alertmanager, fields={"alert": _ALERT}),
    "grafana": Preset(scheme="grafana", items=_grafana, fields={"alert": _GRAFANA}),
    "uptime-kuma": Preset(scheme="bearer", items=_uptime_kuma, fields={"alert": _MONITOR}),
    "healthchecks": Preset(scheme="bearer", items=_healthchecks, fields={"alert": _CHECK}),
    "stripe": Preset(scheme="stripe", items=_stripe),
    "slack": Preset(scheme="slack", items=_slack, read=_slack_body, answer=_slack_challenge, silent=True),
}
"""The presets by the names that rules give them."""
