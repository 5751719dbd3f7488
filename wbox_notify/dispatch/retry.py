"""Retries: what follows an attempt, and when."""

from dataclasses import replace

from wbox_notify.model.deliveries import Delivery, Hold, LeftOut, NextStep, OnUnknown, State
from wbox_notify.model.messages import Notice, Text
from wbox_notify.model.outcomes import Answer, Outcome

_WAITS = (5.0, 15.0, 60.0, 300.0, 900.0, 1800.0)
_AGAIN_WHEN_UNKNOWN = 90.0
_MOST_FAILURES = 3
_LONGEST_PAUSE = 300.0
_LONGEST_OF_A_MACHINE = 60.0

_SERVER_ERROR = 500
_MOST_ALONE = 6
"""How often a message may be refused while others are sent; that takes an hour."""

_PAUSE = {Outcome.NOT_READY, Outcome.UNAUTHORIZED, Outcome.NOT_SENT, Outcome.LIMITED}
_NO_TRY = _PAUSE - {Outcome.NOT_SENT}


def back_off(tries: int, chance: float) -> float:
    """Return the seconds to wait after the ``tries``-th failure; ``chance`` in [0, 1) spreads them."""
    longest = _WAITS[min(tries, len(_WAITS)) - 1]
    return longest * (0.5 + chance / 2)


def probe_pause(probes: int, reason: Outcome = Outcome.NOT_READY) -> float:
    """Return the seconds until a device that holds is looked at, growing with the looks taken.

    Where a person has to do something it is looked at less often in the end than where a machine recovers.
    """
    longest = _LONGEST_PAUSE
    if reason in {Outcome.NOT_SENT, Outcome.UNKNOWN}:
        longest = _LONGEST_OF_A_MACHINE
    return min(5.0 * 2.0 ** min(probes, 16), longest)


def may_be_its_own(delivery: Delivery, answer: Answer) -> bool:
    """Return whether an answer about the device may be due to the message, which has been tried before."""
    spoken = answer.outcome in _NO_TRY or (
        # A proxy in front of wbox may refuse a single message.
        answer.outcome is Outcome.NOT_SENT and answer.status is not None and answer.status < _SERVER_ERROR
    )
    return spoken and delivery.claims > 1 and not isinstance(delivery.message, Notice)


def after(delivery: Delivery, answer: Answer, now: float, chance: float, *, alone: bool = False) -> NextStep:
    """Return what follows an answer, as the outcome table has it.

    Nothing that may have been sent goes out again, unless its rule or its kind says so; a device that cannot
    send costs its messages no try. Where others have passed meanwhile, ``alone``, it is the message's own
    failure and not that of its device.
    """
    if alone and may_be_its_own(delivery, answer):
        return _after_its_own_failure(delivery, answer, now, chance)
    pause = None
    if answer.outcome in _PAUSE and not isinstance(delivery.message, Notice):
        pause = answer.wait or probe_pause(0)
    if answer.outcome is Outcome.SENT:
        return NextStep(
            state=State.SENT,
            due=now,
            tries=delivery.tries + 1,
            unknowns=delivery.unknowns,
            reason=answer.detail,
        )
    stay = NextStep(
        state=State.QUEUED,
        due=now,
        tries=delivery.tries,
        unknowns=delivery.unknowns,
        reason=answer.detail,
        pause=pause,
    )
    if answer.outcome in _NO_TRY:
        return stay
    if answer.outcome is Outcome.UNKNOWN:
        return _after_unknown(delivery, stay, chance)
    tries = delivery.tries + 1
    if _is_final(delivery, answer):
        return replace(stay, state=State.DEAD, tries=tries)
    return replace(stay, tries=tries, due=now + back_off(tries, chance))


def _is_final(delivery: Delivery, answer: Answer) -> bool:
    """Return whether another try would not help."""
    if answer.outcome is Outcome.FAILED:
        return delivery.failures + 1 >= _MOST_FAILURES
    return answer.outcome is Outcome.REFUSED


def _after_its_own_failure(delivery: Delivery, answer: Answer, now: float, chance: float) -> NextStep:
    tries, failures = delivery.tries + 1, delivery.failures + 1
    state = State.QUEUED
    # With a limit, or a device that comes and goes, it may be bad luck each time.
    if failures >= _MOST_ALONE and answer.outcome not in {Outcome.LIMITED, Outcome.NOT_READY}:
        state = State.DEAD
    return NextStep(
        state=state,
        due=now + max(back_off(failures, chance), answer.wait or 0.0),
        tries=tries,
        unknowns=delivery.unknowns,
        reason=f"refused while others pass: {answer.detail}",
        failed=True,
    )


def _after_unknown(delivery: Delivery, stay: NextStep, chance: float) -> NextStep:
    unknowns = delivery.unknowns + 1
    then = replace(stay, unknowns=unknowns)
    match _on_unknown(delivery):
        case "retry":
            wait = max(_AGAIN_WHEN_UNKNOWN * (1 + chance / 4), back_off(unknowns, chance))
            return replace(then, state=State.UNKNOWN, due=stay.due + wait)
        case "retry_once" if unknowns == 1:
            due = stay.due + _AGAIN_WHEN_UNKNOWN * (1 + chance / 4)
            return replace(then, state=State.UNKNOWN, due=due)
        case "drop":
            return replace(then, state=State.CANCELLED, left_out=LeftOut.UNKNOWN)
        case _:
            return replace(then, state=State.HELD, hold=Hold.UNKNOWN)


def _on_unknown(delivery: Delivery) -> OnUnknown:
    """Return what the rule wants; where it says nothing, a text twice does less harm than none."""
    if delivery.on_unknown:
        return delivery.on_unknown
    return "retry_once" if isinstance(delivery.message, Text | Notice) else "hold"
