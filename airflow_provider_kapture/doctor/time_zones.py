"""The time zone that dates are read in, by the orders that days of it have: pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from airflow_provider_kapture.client.days import DayRange, from_ms
from airflow_provider_kapture.client.pull.date_checks import LIKELY_ZONES
from airflow_provider_kapture.doctor.findings import Finding


@dataclass(frozen=True, slots=True)
class Day:
    """One day of the account, and what its listing showed.

    :ivar date: the day that was asked for
    :ivar instants: when the orders that were seen of it were created
    """

    date: dt.date
    instants: tuple[int, ...]

    def fits(self, zone: ZoneInfo) -> bool:
        """Whether all of its orders were created on that day of the zone."""
        only = DayRange(self.date, self.date)
        return all(only.contains(each, zone) for each in (min(self.instants), max(self.instants)))


@cache
def _all_zones() -> Mapping[str, ZoneInfo]:
    return {name: ZoneInfo(name) for name in (*LIKELY_ZONES, *sorted(available_timezones()))}


def fitting_zones(days: Sequence[Day], configured: str) -> list[str]:
    """Return the zones in which each order was created on its requested day: the configured one, then likely ones.

    Zones that were never apart from one before them on these days are left out.
    """
    found: dict[tuple[dt.timedelta | None, ...], str] = {}
    moments = [from_ms(each, dt.UTC) for day in days for each in (min(day.instants), max(day.instants))]
    for name, zone in {configured: ZoneInfo(configured), **_all_zones()}.items():
        offsets = tuple(moment.astimezone(zone).utcoffset() for moment in moments)
        if offsets not in found and all(day.fits(zone) for day in days):
            found[offsets] = name
    return list(found.values())


def zone_finding(days: Sequence[Day], configured: str) -> Finding:
    """Return the finding about the time zone in which Kapture reads dates."""
    fitting = fitting_zones(days, configured)
    seen = f"{sum(len(day.instants) for day in days)} orders of {len(days)} day(s)"
    if not fitting:
        widest = max(days, key=lambda day: max(day.instants) - min(day.instants))
        hours = (max(widest.instants) - min(widest.instants)) / 3_600_000
        return Finding(
            "time zone",
            "none fits",
            f"{seen}, asked for day by day, are of no zone's days; those of {widest.date} lie {hours:.1f} hours apart: "
            "the dates are not read as they were meant",
            is_good=False,
        )
    note = "; it is the connection's own, and" if fitting[0] == configured else ";"
    others = f"{note} {len(fitting) - 1} other offset(s) fit as well: {', '.join(fitting[1:5])}" if fitting[1:] else ""
    # A likely zone among unlikely ones is no guess; an unlikely one among others is.
    is_open = len(fitting) > 1 and (fitting[0] not in LIKELY_ZONES or fitting[1] in LIKELY_ZONES)
    return Finding(
        "time zone",
        f"perhaps {fitting[0]}" if is_open else fitting[0],
        f"{seen} were created on the days of this zone that were asked for{others}",
        is_good=not is_open or fitting[0] == configured,
        settings={"timezone": fitting[0]},
    )
