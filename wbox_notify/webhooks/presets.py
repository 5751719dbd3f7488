"""Presets: what the senders that we know put into a call, and what rules may say of it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from wbox_notify.webhooks.bodies import BodyError
from wbox_notify.webhooks.signatures import delivery

Headers = Mapping[str, str]
"""The headers of a call; the names are in lower case."""

Fields = Mapping[str, "Fields | None"]
"""The names that a map has; with None, what stands there is a plain value or has names of its own choice."""

Status = Literal["firing", "resolved"]

_LONGEST_CHALLENGE = 1000
_KINDS = {dict: "an object", list: "a list", str: "text", int: "a whole number"}
_STATUS: Mapping[str, Status] = {"firing": "firing", "resolved": "resolved"}
_KUMA = {0: "firing", 1: "resolved", 2: "pending", 3: "maintenance"}
_HEALTHCHECKS: Mapping[str, Status] = {"down": "firing", "up": "resolved"}

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that a call tells of.

    Attributes:
        data: What rules see besides ``body``, ``headers`` and ``query``.
        type: What ``event.type`` is, where the sender has a name for it.
        key: The same in all that is told of one alert.
        status: Whether the alert is on; None where nothing is said of that.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    type: str | None = None
    key: str | None = None
    status: Status | None = None


def _event(_body: Any, _headers: Headers) -> None:
    """Answer nothing of its own: each call is an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What is known of one kind of sender; a body is plain data here.

    Attributes:
        scheme: How it proves itself where a rule does not say; a kind of ``signatures.scheme``.
        items: What a call tells of. It raises BodyError, which names what is missing.
        answer: What to answer, as JSON, to a call that only tries us out; None if the call is an event.
            Ask only after the signature was checked.
        fields: The names that ``items`` adds to what rules see.
    """

    scheme: str
    items: Callable[[Any, Headers], list[Item]]
    answer: Callable[[Any, Headers], Mapping[str, Any] | None] = _event
    fields: Fields = field(default_factory=dict)

    def delivery_id(self, body: Any, headers: Headers) -> str | None:
        """Return the id that this delivery keeps when it comes again, or None if it has none."""
        return delivery(self.scheme).find(headers, body)


def _json(_body: Any, _headers: Headers) -> list[Item]:
    return [Item()]


def _github(body: Any, headers: Headers) -> list[Item]:
    if isinstance(body, dict) and body.keys() == {"payload"}:
        hint = "set the content type of the webhook to application/json at GitHub"
        raise BodyError("GitHub sent a form and not JSON", hint=hint)
    return [Item(type=_header(headers, "X-GitHub-Event"))]


def _github_ping(_body: Any, headers: Headers) -> Mapping[str, Any] | None:
    return {"status": "pong"} if headers.get("x-github-event") == "ping" else None


def _gitlab(_body: Any, headers: Headers) -> list[Item]:
    return [Item(type=_header(headers, "X-Gitlab-Event"))]


def _stripe(body: Any, _headers: Headers) -> list[Item]:
    return [Item(type=_part(body, "type", str))]


def _slack(body: Any, _headers: Headers) -> list[Item]:
    return [Item(type=_part(_part(body, "event", dict), "type", str, "event"))]


def _slack_challenge(body: Any, _headers: Headers) -> Mapping[str, Any] | None:
    trying = isinstance(body, dict) and body.get("type") == "url_verification"
    challenge = body.get("challenge") if trying else None
    usable = isinstance(challenge, str) and len(challenge) <= _LONGEST_CHALLENGE
    return {"challenge": challenge} if usable else None


def _alerts(body: Any, _headers: Headers) -> list[Item]:
    """Return each alert of Alertmanager or Grafana; one without a fingerprint gets one of its labels."""
    alerts = _part(body, "alerts", list)
    return [_alert(alert, f"alerts[{number}]") for number, alert in enumerate(alerts)]


def _alert(alert: Any, path: str) -> Item:
    status = _STATUS.get(_part(alert, "status", str, path))
    if status is None:
        raise BodyError(f"`{path}.status` is neither firing nor resolved")
    labels = json.dumps(_part(alert, "labels", dict, path), sort_keys=True)
    key = alert.get("fingerprint")
    if not isinstance(key, str) or not key:
        key = hashlib.sha256(labels.encode()).hexdigest()[:32]
    return Item(data={"alert": {"annotations": {}, **alert, "fingerprint": key}}, key=key, status=status)


def _uptime_kuma(body: Any, _headers: Headers) -> list[Item]:
    """Return the monitor that changed; or a notice without one.

    Uptime Kuma sends null for both parts when its test button is pressed and when a certificate ends soon.
    """
    message = _part(body, "msg", str)
    if "heartbeat" in body and body["heartbeat"] is None and body.get("monitor") is None:
        notice = {"id": "", "name": "Uptime Kuma", "status": "notice", "message": message}
        return [Item(data={"alert": {**notice, "monitor": {}, "heartbeat": {}}})]
    heartbeat, monitor = _part(body, "heartbeat", dict), _part(body, "monitor", dict)
    key = str(_part(monitor, "id", int, "monitor"))
    status = _KUMA.get(_part(heartbeat, "status", int, "heartbeat"), "unknown")
    alert = {
        "id": key,
        "name": _part(monitor, "name", str, "monitor"),
        "status": status,
        "message": heartbeat.get("msg") or message,
        "monitor": monitor,
        "heartbeat": heartbeat,
    }
    return [Item(data={"alert": alert}, key=key, status=_STATUS.get(status))]


def _healthchecks(body: Any, _headers: Headers) -> list[Item]:
    """Return the check that went down or up.

    The body is free in Healthchecks. Paste this into the webhook, for down and for up alike; more keys do no
    harm, and rules find them under ``body``:

        {"code": "$CODE", "name": $NAME_JSON, "status": "$STATUS"}
    """
    key, name = _part(body, "code", str), _part(body, "name", str)
    status = _HEALTHCHECKS.get(_part(body, "status", str))
    if status is None:
        raise BodyError("`status` is neither down nor up")
    return [Item(data={"alert": {"id": key, "name": name, "status": status}}, key=key, status=status)]


def _part(holder: Any, name: str, kind: type[_T], path: str = "") -> _T:
    """Return a part of an object; BodyError, with its whole path, if it is missing or of another kind."""
    where = f"{path}.{name}" if path else name
    if not isinstance(holder, dict):
        raise BodyError(f"`{path}` is not an object" if path else "the body is not a JSON object")
    if name not in holder:
        raise BodyError(f"`{where}` is missing")
    part = holder[name]
    if not isinstance(part, kind) or isinstance(part, bool):
        raise BodyError(f"`{where}` is not {_KINDS[kind]}")
    return part


def _header(headers: Headers, name: str) -> str:
    if name.lower() not in headers:
        raise BodyError(f"the header {name} is missing")
    return headers[name.lower()]


_ALERT = ["status", "labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"]
_GRAFANA = ["values", "valueString", "silenceURL", "dashboardURL", "panelURL", "imageURL", "orgId"]
_MONITOR = ["id", "name", "status", "message", "monitor", "heartbeat"]
_CHECK = ["id", "name", "status"]

PRESETS: Mapping[str, Preset] = {
    "json": Preset(scheme="bearer", items=_json),
    "github": Preset(scheme="github", items=_github, answer=_github_ping),
    "gitlab": Preset(scheme="gitlab", items=_gitlab),
    "alertmanager": Preset(scheme="bearer", items=_alerts, fields={"alert": dict.fromkeys(_ALERT)}),
    "grafana": Preset(scheme="grafana", items=_alerts, fields={"alert": dict.fromkeys(_ALERT + _GRAFANA)}),
    "uptime-kuma": Preset(scheme="bearer", items=_uptime_kuma, fields={"alert": dict.fromkeys(_MONITOR)}),
    "healthchecks": Preset(scheme="bearer", items=_healthchecks, fields={"alert": dict.fromkeys(_CHECK)}),
    "stripe": Preset(scheme="stripe", items=_stripe),
    "slack": Preset(scheme="slack", items=_slack, answer=_slack_challenge),
}
"""The presets by the names that rules give them."""
