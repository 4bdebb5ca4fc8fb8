"""Tests of the length of a rental in requests of the partner API."""

from __future__ import annotations

from typing import Any

import pytest
from tests.dialects.partner_requests import field_of, read

from numdesk.dialects.partner.durations import (
    AmbiguousDuration,
    choose_reading,
    parse_length,
    parse_period,
)
from numdesk.domain.errors import InvalidInput
from numdesk.domain.rentals.lifecycle import RentType
from numdesk.domain.rentals.refusals import PeriodNotOffered

OFFERED = (1, 3, 7, 30)


class TestLength:
    """For how long."""

    @pytest.mark.parametrize(
        ("fields", "units"),
        [
            ({"period": "7"}, (7,)),
            ({"period": 7}, (7,)),
            ({"period": 7.0, "duration": 7}, (7,)),
            ({"period": "7", "duration": 10080}, (7,)),
            ({"period": "1", "duration": 24, "durationUnit": "hours"}, (1,)),
            ({"duration": 24}, (1, 24)),
            ({"duration": 10080}, (7,)),
            ({"duration": 1440}, (1, 60)),
            ({"duration": 720}, (30,)),
            ({"duration": 7}, (7,)),
            ({"duration": 7, "durationUnit": "Days"}, (7,)),
            ({"duration": 1, "durationUnit": "day"}, (1,)),
            ({"duration": 0.5}, ()),
            ({"duration": 100}, ()),
        ],
    )
    def test_reads_days(self, fields: dict[str, Any], units: tuple[int, ...]) -> None:
        """A period is days; a duration is each of its readings that a period could be."""
        assert parse_length(read(**fields), RentType.LONG) == units

    @pytest.mark.parametrize(
        ("fields", "units"),
        [
            ({}, (1,)),
            ({"period": "1"}, (1,)),
            ({"duration": 60}, (1,)),
            ({"duration": 1}, (1,)),
            ({"duration": 24}, ()),
        ],
    )
    def test_reads_hours(self, fields: dict[str, Any], units: tuple[int, ...]) -> None:
        """Short rentals are counted in hours, and one hour is the default when nothing is
        said.
        """
        assert parse_length(read(**fields), RentType.SHORT) == units

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({}, "period"),
            ({"period": None}, "period"),
            ({"period": ""}, "period"),
            ({"period": "0"}, "period"),
            ({"period": "-1"}, "period"),
            ({"period": "07"}, "period"),
            ({"period": "٧"}, "period"),
            ({"period": "7 days"}, "period"),
            ({"period": 7.5}, "period"),
            ({"period": True}, "period"),
            ({"period": [7]}, "period"),
            ({"period": 10**400}, "period"),
            ({"period": "9" * 5000}, "period"),
            ({"period": "7", "duration": 3}, "duration"),
            ({"period": "7", "duration": 7, "durationUnit": "hours"}, "duration"),
            ({"duration": "24"}, "duration"),
            ({"duration": 0}, "duration"),
            ({"duration": -24}, "duration"),
            ({"duration": 1e300}, "duration"),
            ({"duration": 10**400}, "duration"),
            ({"duration": 25, "durationUnit": "hours"}, "duration"),
            ({"duration": 24, "durationUnit": "weeks"}, "durationUnit"),
            ({"duration": 24, "durationUnit": 5}, "durationUnit"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_refuses_by_name(self, fields: dict[str, Any], field: str) -> None:
        """A missing length, or two different ones, is named."""
        with pytest.raises(InvalidInput) as refusal:
            parse_length(read(**fields), RentType.LONG)
        assert field_of(refusal) == field

    def test_means_the_one_that_is_offered(self) -> None:
        """24 is a day of hours where no 24 days are on offer; none or several are refused, each in
        its way, with what there is.
        """
        assert choose_reading((1, 24), OFFERED) == 1
        with pytest.raises(AmbiguousDuration) as several:
            choose_reading((1, 24), (1, 7, 24))
        assert (several.value.readings, several.value.offered) == ((1, 24), (1, 7, 24))
        for readings in ((), (2,)):
            with pytest.raises(PeriodNotOffered) as none:
                choose_reading(readings, OFFERED)
            assert not isinstance(none.value, AmbiguousDuration)
            assert none.value.offered == OFFERED

    def test_needs_no_price_list_for_a_period(self) -> None:
        """A period alone says it all; with a duration more has to be known."""
        assert parse_period(read(period="7")) == 7
        assert parse_period(read(period="7", duration=7)) is None
        assert parse_period(read()) is None
