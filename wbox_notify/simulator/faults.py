"""The faults that the simulator makes on purpose."""

from dataclasses import dataclass
from random import Random
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wbox_notify.errors import WboxError


class Fault(BaseModel):
    """One fault, as ``POST /sim/faults`` takes it; it affects a send that would otherwise be accepted.

    Attributes:
        status: Refuse with this HTTP status (400 to 599).
        delay: Seconds to wait before the answer; the message is accepted before the wait.
        lost: Accept, then cut the connection without an answer.
        success: False: answer 200 with ``success: false``, and accept nothing.
        message: The text of a refusal; else that of the API document.
        retry_after: Seconds for the ``Retry-After`` header of a refusal.
        count: Affect this many sends; None: affect sends until the faults are cleared.
        rate: Affect this share of the sends, above 0 to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    status: int | None = Field(None, ge=400, le=599)
    delay: float = Field(0, ge=0, le=600, allow_inf_nan=False)
    lost: bool = False
    success: Literal[False] | None = None
    message: str | None = None
    retry_after: int | None = Field(None, ge=0, le=86400)
    count: int | None = Field(None, ge=1)
    rate: float = Field(1, gt=0, le=1)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        ends = [self.status is not None, self.lost, self.success is False]
        if sum(ends) > 1:
            raise ValueError("choose one of status, lost and success")
        if not self.delay and not any(ends):
            raise ValueError("say what goes wrong: status, delay, lost or success")
        if self.message is not None and not self.refuses:
            raise ValueError("message goes with status or success")
        if self.retry_after is not None and self.status is None:
            raise ValueError("retry_after goes with status")
        return self

    @property
    def refuses(self) -> bool:
        """Whether the message is not accepted."""
        return self.status is not None or self.success is False

    @classmethod
    def parse(cls, fields: Any) -> Self:
        """Return the fault that a JSON object describes.

        Raises:
            WboxError: naming each field that is wrong.
        """
        if not isinstance(fields, dict):
            raise WboxError('a fault is an object, such as {"status": 500}')
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            raise WboxError("; ".join(map(_problem, error.errors()))) from None


class Strike(NamedTuple):
    """The effect on one send: the seconds it waits, and the fault that decides its answer, if one does."""

    delay: float = 0.0
    fault: Fault | None = None


@dataclass(slots=True)
class _Active:
    fault: Fault
    left: int | None


class Faults:
    """The active faults; the same sends get the same faults in every run."""

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self._random = Random(0)  # noqa: S311  a rate is no secret, and a run is to be repeatable

    def add(self, fault: Fault) -> None:
        """Add a fault."""
        self._active.append(_Active(fault, fault.count))

    def clear(self) -> None:
        """Remove all faults; the next rates start over."""
        self._active.clear()
        self._random.seed(0)

    def active(self) -> list[dict[str, Any]]:
        """Return the active faults as JSON objects; ``count`` is the number of sends that are left."""
        faults = []
        for active in self._active:
            fields = active.fault.model_dump(exclude_defaults=True)
            if active.left:
                fields["count"] = active.left
            faults.append(fields)
        return faults

    def strike(self) -> Strike:
        """Return the sum of the delays, and the oldest fault that decides the answer of the next send."""
        delay, deciding = 0.0, None
        for active in tuple(self._active):
            fault = active.fault
            decides = fault.refuses or fault.lost
            if (decides and deciding) or self._random.random() >= fault.rate:
                continue
            delay += fault.delay
            if decides:
                deciding = fault
            self._use(active)
        return Strike(delay, deciding)

    def _use(self, active: _Active) -> None:
        if active.left is not None:
            active.left -= 1
            if not active.left:
                self._active.remove(active)


def _problem(error: Any) -> str:
    """Return one line for one pydantic error."""
    field = ".".join(map(str, error["loc"]))
    text: str = error["msg"].removeprefix("Value error, ")
    return ": ".join(filter(None, (field, text)))
