"""The page about the devices: whether each can send, the code to link it with a phone, and a test message."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wbox_notify.config.values import duration_text
from wbox_notify.dispatch import ALL
from wbox_notify.dispatch.devices import Device, Sight
from wbox_notify.model.deliveries import Circuit, Delivery
from wbox_notify.model.messages import Text
from wbox_notify.model.pace import Pace
from wbox_notify.model.reasons import circuit as circuit_text
from wbox_notify.model.reasons import why
from wbox_notify.model.texts import Wording, problem_of
from wbox_notify.rules.project import Project
from wbox_notify.web.console.console import Console
from wbox_notify.web.console.door import field
from wbox_notify.web.console.show import iso

_TEST = Wording("A test message from wbox-notify, sent at {time}.")
_DIGITS = 9


def routes(console: Console) -> list[Route]:
    """Return the routes of the page, of its codes and of its actions."""
    page = _Page(console)
    return [
        *console.get("/device", page.show),
        Route("/device/code.png", console.inside(page.code)),
        console.post("/device/pair", page.pair),
        console.post("/device/leave", page.leave),
        console.post("/device/try", page.try_again),
        console.post("/device/test", page.test),
    ]


class _Page:
    """The answers of the page."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, request: Request) -> Response:
        """Show the devices of the project, and one more that the address names."""
        devices = dict.fromkeys([*devices_of(self._console.live.project), *_asked(request)])
        shown = model(self._console, list(devices), self._console.lang(request))
        shown["test"] = self._tested(request)
        return self._console.page(request, "device.html", shown)

    def code(self, request: Request) -> Response:
        """Return the code of a device that is being paired as a picture."""
        device = _device(request.query_params.get("device", ""))
        sight = self._console.devices.see([device]).get(device)
        if sight is None or sight.code is None:
            raise HTTPException(404, Wording("there is no code to scan"))
        return Response(sight.code, media_type="image/png")  # as all pages, it is stored nowhere

    def pair(self, request: Request) -> Response:
        """Begin to pair a device."""
        device = _device(field(request.state.form, "device"))
        self._console.devices.pair(device)
        return self._back(request, device)

    def leave(self, request: Request) -> Response:
        """End the pairing of a device."""
        device = _device(field(request.state.form, "device"))
        self._console.devices.leave(device)
        return self._back(request, device)

    def try_again(self, request: Request) -> Response:
        """Look now at all devices that send nothing."""
        self._console.devices.try_again()
        _ = self._console.gettext(request)
        return self._console.back(request, "/device", _("wbox is asked now about what sends nothing."))

    def test(self, request: Request) -> Response:
        """Send a test message."""
        project, form = self._console.live.project, request.state.form
        now = datetime.fromtimestamp(self._console.now(), UTC)
        recipients = project.recipients(field(form, "to"), now)
        text = _TEST.about(time=f"{now.astimezone(project.settings.tz):%H:%M:%S}").to(project.settings.lang)
        device = _device(field(form, "device")) or project.settings.device_id
        sent = [
            self._console.control.send(
                Text(phone=contact.phone, message=text, device_id=device), critical=True
            )
            for contact in recipients
        ]
        return self._console.back(request, f"/device?test={sent[0]}")

    def _back(self, request: Request, device: Device) -> Response:
        return self._console.back(request, f"/device?device={device}" if device else "/device")

    def _tested(self, request: Request) -> dict[str, Any] | None:
        """Return what became of a test message."""
        number = request.query_params.get("test", "")
        delivery = self._console.store.delivery(int(number)) if _is_number(number) else None
        return _outcome(delivery, self._console.lang(request)) if delivery else None


def model(console: Console, devices: list[Device], lang: str) -> dict[str, Any]:
    """Return what the page shows of devices."""
    project, circuits = console.live.project, console.store.circuits()
    sights = console.devices.see(devices)
    return {
        "server": project.settings.url,
        "devices": [
            _of_device(device, sights.get(device), circuits, lang)
            for device in _without_twins(devices, sights)
        ],
        "paused": [_paused(circuit, lang) for circuit in circuits],
        "pace": _pace(project.settings.pace),
        "owner": project.settings.owner,
        "contacts": sorted(project.people.contacts),
    }


def states(console: Console, within: float) -> list[dict[str, Any]]:
    """Return each device with its state, as far as wbox tells it within some seconds."""
    devices, circuits = devices_of(console.live.project), console.store.circuits()
    sights = console.devices.see(devices, within)
    return [
        {"device": device, "state": _of_device(device, sights.get(device), circuits, "en")["state"]}
        for device in _without_twins(devices, sights)
    ]


def devices_of(project: Project) -> list[Device]:
    """Return the devices that a project sends with: that of its settings first, then those of its rules."""
    named = [draft.device for rule in project.rules for draft in rule.send if draft.device]
    return list(dict.fromkeys([project.settings.device_id, *sorted(named)]))


def _without_twins(devices: Iterable[Device], sights: Mapping[Device, Sight]) -> list[Device]:
    """Return devices without the number of the one that is the first, which wbox tells."""
    first = sights.get(None)
    number = first.number if first else None
    return [device for device in devices if device is None or device != number]


def _of_device(device: Device, sight: Sight | None, circuits: list[Circuit], lang: str) -> dict[str, Any]:
    sight = sight or Sight(number=device)
    names = {ALL, str(device or ""), str(sight.number or "")}
    paused = any(circuit.device in names for circuit in circuits)
    return {
        "device": device,
        "number": sight.number,
        "state": _state(sight, paused=paused),
        "words": sight.words,
        "problem": sight.problem and problem_of(sight.problem).to(lang),
        "pairing": sight.pairing,
        "code": sight.code and hashlib.sha256(sight.code).hexdigest()[:8],
    }


def _state(sight: Sight, *, paused: bool) -> str:
    if sight.ready:
        return "paused" if paused else "ready"
    if sight.words or sight.pairing:
        return "unlinked"
    return "unreachable" if sight.problem else "unknown"


def _paused(circuit: Circuit, lang: str) -> dict[str, Any]:
    return {
        "device": circuit.device,
        "reason": circuit.reason.value,
        "text": circuit_text(circuit.reason, lang),
        "since": iso(circuit.since),
        "until": iso(circuit.until),
        "trying": circuit.trying,
    }


def _pace(pace: Pace) -> dict[str, Any]:
    """Return the pace with its durations as the settings have them; None for no limit."""
    times = ("every", "media_every", "recipient_every", "same_text")
    numbers = ("per_hour", "per_day", "recipient_per_hour", "backlog")
    lasting = {name: getattr(pace, name) for name in times}
    shown = {name: duration_text(seconds) if seconds else None for name, seconds in lasting.items()}
    return shown | {name: getattr(pace, name) or None for name in numbers}


def _outcome(delivery: Delivery, lang: str) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "event": delivery.event_id,
        "state": delivery.state.value,
        "reason": why(delivery, lang),
    }


def _asked(request: Request) -> list[Device]:
    number = request.query_params.get("device", "")
    return [_device(number)] if number else []


def _device(text: str) -> Device:
    """Return the device of a form or an address; empty is the first."""
    if not text:
        return None
    if not _is_number(text) or int(text) == 0:
        raise HTTPException(400, Wording("a device is a number"))
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS
