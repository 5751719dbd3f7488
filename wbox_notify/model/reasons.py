"""Texts about deliveries and devices: why they stand where they do, in the language of a reader."""

from collections.abc import Mapping

from wbox_notify.model.deliveries import Delivery, Facts, Hold, LeftOut, State
from wbox_notify.model.outcomes import Outcome
from wbox_notify.model.text import joined
from wbox_notify.model.texts import Wording, patterns, recognised, worded

_COLON = Wording("{some}: {last}")
_UNKNOWN = Wording("may have been sent")
_UNKNOWN_IN = Wording("may have been sent in delivery {delivery}")
_HOLDS: Mapping[Hold, Wording] = {
    Hold.STORM: Wording("storm guard: {messages} messages at once"),
    Hold.ROWS: Wording("storm guard: counted with all rows of {file}"),
    Hold.UNKNOWN: _UNKNOWN,
    Hold.SAME_KEY: Wording("delivery {delivery} has the same key and says something else"),
    Hold.RULE_GONE: Wording("the rule {rule} is gone"),
    Hold.READER_GONE: Wording("{reader} is not told by this rule any more"),
}
_LEFT_OUT: Mapping[LeftOut, Wording] = {
    LeftOut.SAME_TEXT: Wording("the same text was sent {seconds} s before"),
    LeftOut.BACKLOG: Wording("sent with delivery {delivery}"),
    LeftOut.BY_HAND: Wording("dropped by hand"),
    LeftOut.UNKNOWN: _UNKNOWN,
    LeftOut.DONE: Wording("done after all"),
}
_KINDS: Mapping[str, Wording] = {
    "group": Wording("group"),
    "digest": Wording("digest"),
    "quiet_hours": Wording("quiet hours"),
    "throttle": Wording("throttle"),
    "burst": Wording("burst"),
    "rows": Wording("rows"),
    "escalate": Wording("escalation"),
    "remind": Wording("reminders"),
}
_OUTCOMES: Mapping[str, Wording] = {
    Outcome.SENT: Wording("sent"),
    Outcome.NOT_SENT: Wording("did not reach wbox"),
    Outcome.LIMITED: Wording("limited"),
    Outcome.NOT_READY: Wording("not ready"),
    Outcome.UNAUTHORIZED: Wording("unauthorized"),
    Outcome.FAILED: Wording("failed"),
    Outcome.REFUSED: Wording("refused"),
    Outcome.UNKNOWN: Wording("unknown"),
}
_CIRCUITS: Mapping[Outcome, Wording] = {
    Outcome.NOT_READY: Wording("the phone is not linked; scan the QR code again (wbox-notify pair)"),
    Outcome.UNAUTHORIZED: Wording("wbox refuses the API key"),
    Outcome.NOT_SENT: Wording("wbox cannot be reached"),
    Outcome.UNKNOWN: Wording("wbox gives no clear answers"),
    Outcome.LIMITED: Wording("wbox asks to wait"),
}
_ANSWERS = patterns(
    Wording("refused while others pass: {answer}"),
    Wording("wbox could not be reached: {reason}"),
    Wording("the answer did not come: {reason}"),
    Wording("no whole answer within {seconds} s"),
    Wording("this cannot be sent: {reason}"),
    Wording("HTTP {status}: check the url of wbox, it is redirected to {to}"),
    Wording("HTTP {status}: {words}, but another server than wbox answered: check the url and any proxy"),
    Wording("the answer is not wbox's: it is no JSON object"),
    Wording("the answer does not say success"),
    Wording("the answer broke off: {reason}"),
    Wording("the answer is longer than 64 KiB"),
    Wording("the answer is compressed, and damaged"),
    Wording("the answer is compressed, which was not asked for"),
    Wording("wbox says that it did not succeed"),
    Wording("{words} (but wbox names another recipient: {other})"),
    Wording("there is no message"),
    Wording("another daemon may send through this device by now"),
    Wording("wbox-notify ended during the request"),
    Wording("the store lost it between its claim and the request"),
    Wording("the store lost how it ended"),
    Wording("the copy of {file} is gone"),
    Wording("no server can lend {name} to wbox"),
    Wording("{name} cannot be published: {reason}"),
    Wording("internal error: {error}"),
)
"""What an attempt leaves behind in our own words; wbox's are as it has said them."""

_NOTICES: Mapping[str, Wording] = {
    "stopped": Wording("WhatsApp sending has stopped: {why}. Messages waiting: {waiting}."),
    "sent again": Wording("WhatsApp messages are sent again."),
    "solved": Wording("Solved: {about}"),
    "mended": Wording("No file has an error any more: wbox-notify uses the rules as they are now."),
    "given up": Wording(
        "Messages of rule {rule} that could not be sent: {many} ({why}). Run `wbox-notify queue list`."
    ),
    "broken": Wording(
        "wbox-notify started with the last good rules, as {place} has an error: {message}."
        " Run `wbox-notify check`."
    ),
    "undelivered": Wording("(not delivered by WhatsApp to {to})"),
}


def why(delivery: Delivery, lang: str = "en") -> str:
    """Return why a delivery is not sent, or not sent yet; empty where nothing is known."""
    return why_wording(delivery).to(lang)


def why_wording(delivery: Delivery) -> Wording:
    """Return why a delivery is not sent, or not sent yet, for any language."""
    parts: list[Wording] = []
    if delivery.state is State.EXPIRED:
        parts.append(Wording("not sent in time"))
    if delivery.state is State.UNKNOWN or (delivery.state is State.EXPIRED and delivery.unknowns):
        parts.append(_UNKNOWN)
    if delivery.hold:
        parts.append(hold(delivery.hold, delivery.facts))
    if delivery.left_out:
        parts.append(left_out(delivery.left_out, delivery.facts))
    if delivery.reason:
        parts.append(answer(delivery.reason))
    return worded(joined(parts or [Wording("")], _COLON))


def answer(detail: str) -> Wording:
    """Return what was said of an attempt, for any language as far as the words are ours."""
    if isinstance(detail, Wording):
        return detail
    said = recognised(detail, _ANSWERS)
    if "answer" in said.facts:
        return said.about(answer=answer(str(said.facts["answer"])))
    return said


def hold(code: Hold, facts: Facts) -> Wording:
    """Return why something waits for a person, and what that person can do."""
    text = _said(_HOLDS[code], facts)
    if code not in {Hold.RULE_GONE, Hold.READER_GONE}:
        return text
    if "number" not in facts:
        return Wording("{why}: put it back, then `queue retry`; `queue drop` forgets this", why=text)
    waiting = Wording("and {number} events of its {kind} wait")
    if facts["number"] == 1:
        waiting = Wording("and {number} event of its {kind} waits")
    return Wording(
        "{why}, {waiting}: put it right and `queue release`, or `queue drop`",
        why=text,
        waiting=waiting.about(number=facts["number"], kind=kind(facts["kind"])),
    )


def left_out(code: LeftOut, facts: Facts) -> Wording:
    """Return why something is not sent any more."""
    return _said(_LEFT_OUT[code], facts)


def kind(name: str) -> Wording:
    """Return what holds something, by the kind of its memory."""
    return _KINDS.get(name) or Wording(name)


def outcome(name: str) -> Wording:
    """Return how an attempt ended."""
    return _OUTCOMES.get(name) or Wording(name)


def circuit(reason: Outcome, lang: str = "en") -> str:
    """Return why a device cannot send."""
    return circuit_wording(reason).to(lang)


def circuit_wording(reason: Outcome) -> Wording:
    """Return why a device cannot send, for any language."""
    return _CIRCUITS.get(reason) or Wording(reason.value)


def notice(name: str, **facts: object) -> Wording:
    """Return what other services are told by the fallback."""
    return _NOTICES[name].about(**facts)


def _said(text: Wording, facts: Facts) -> Wording:
    """Return a text with its facts; a part of another message names the delivery of that one."""
    if text is _UNKNOWN and "delivery" in facts:
        text = _UNKNOWN_IN
    return text.about(**facts)
