"""The length of a rental in a request of the partner API: a period or a duration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from numdesk.dialects.partner.wire import required, text_of
from numdesk.domain.errors import InvalidInput
from numdesk.domain.rentals.lifecycle import UNIT, UNITS_MAX, RentType
from numdesk.domain.rentals.refusals import PeriodNotOffered

DURATION_UNITS: Mapping[str, timedelta] = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}
_is_period = re.compile(r"[1-9][0-9]{0,3}", re.ASCII).fullmatch
#: A limit far above every period; longer durations are malformed.
_DURATION_MAX = 1_000_000


@dataclass(eq=False)
class AmbiguousDuration(PeriodNotOffered):
    """A bare duration with several possible readings among the periods: days, hours or minutes."""

    readings: tuple[int, ...] = ()


def parse_length(data: Mapping[str, Any], rent_type: RentType) -> tuple[int, ...]:
    """Return the possible numbers of hours (SHORT) or days (LONG) of a body.

    Refuses with InvalidInput. `period` states the number, and so does `duration` with a unit. A
    bare duration (the vendor's sample rents for `duration: 24`, its answers count minutes) may be
    in days, hours or minutes: then every reading that is not longer than any period is returned,
    perhaps none.
    """
    units = _period(data)
    duration = data.get("duration")
    if duration is None:
        if units is None and rent_type is RentType.SHORT:
            return (1,)
        return (required(units, "period"),)
    unit = text_of(data, "durationUnit")
    readings = _readings(duration, unit, rent_type)
    if units is not None:
        if units not in readings:
            raise InvalidInput(field="duration", reason="says another length than period")
        return (units,)
    if unit and not readings:
        raise InvalidInput(
            field="duration",
            reason=f"is no whole number of {'hours' if rent_type is RentType.SHORT else 'days'}",
        )
    return readings


def parse_period(data: Mapping[str, Any]) -> int | None:
    """Return the number of units if `period` alone states it, else None.

    Refuses with InvalidInput.
    """
    return _period(data) if data.get("duration") is None else None


def choose_reading(readings: Sequence[int], offered: Sequence[int]) -> int:
    """Return the one reading that is offered.

    Refuses with PeriodNotOffered if there is none, with AmbiguousDuration if there are several.
    """
    found = [units for units in offered if units in readings]
    if not found:
        raise PeriodNotOffered(
            field="duration", reason="is no period on offer", offered=tuple(offered)
        )
    if len(found) > 1:
        raise AmbiguousDuration(
            field="duration",
            reason="could be days, hours or minutes",
            offered=tuple(offered),
            readings=tuple(found),
        )
    return found[0]


def _period(data: Mapping[str, Any]) -> int | None:
    """Return the number of units, sent as a number or as a text."""
    value = data.get("period")
    if value is None:
        return None
    text = str(int(value)) if type(value) is float and value.is_integer() else value
    if type(text) is not str or _is_period(text) is None:
        raise InvalidInput(
            field="period", reason='must be a whole number of days or hours, such as "7"'
        )
    return int(text)


def _readings(duration: object, unit: str | None, rent_type: RentType) -> tuple[int, ...]:
    """Return a duration in units of the rental type: by its unit, or by each possible unit."""
    if type(duration) is not float or not 0 < duration <= _DURATION_MAX:
        raise InvalidInput(field="duration", reason="must be a positive number")
    word = unit and unit.lower().removesuffix("s") + "s"
    if word and word not in DURATION_UNITS:
        raise InvalidInput(
            field="durationUnit", reason=f"must be one of {', '.join(DURATION_UNITS)}"
        )
    lengths = [
        duration * length for name, length in DURATION_UNITS.items() if word in (None, "", name)
    ]
    one = UNIT[rent_type]
    return tuple(
        sorted(
            {
                length // one
                for length in lengths
                if not length % one and one <= length <= UNITS_MAX[rent_type] * one
            }
        )
    )
