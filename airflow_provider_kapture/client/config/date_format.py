"""Format dates for requests, alike on every machine: strftime depends on the C library and its locale."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

_DIRECTIVE = re.compile(r"%(-?.?)", re.DOTALL)
_MONTHS = tuple(
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())  # noqa: SIM905
_MIDNIGHT = {"H": "00", "M": "00", "S": "00", "f": "000000", "R": "00:00", "T": "00:00:00", "I": "12", "p": "AM"}


def _yearday(day: dt.date) -> int:
    return day.timetuple().tm_yday


_WRITTEN: Mapping[str, Callable[[dt.date], str]] = MappingProxyType(
    {
        "%": lambda _: "%",
        "Y": lambda day: f"{day.year:04d}",
        "y": lambda day: f"{day.year % 100:02d}",
        "m": lambda day: f"{day.month:02d}",
        "d": lambda day: f"{day.day:02d}",
        "e": lambda day: f"{day.day:2d}",
        "j": lambda day: f"{_yearday(day):03d}",
        "-m": lambda day: f"{day.month}",
        "-d": lambda day: f"{day.day}",
        "-j": lambda day: f"{_yearday(day)}",
        "B": lambda day: _MONTHS[day.month - 1],
        "b": lambda day: _MONTHS[day.month - 1][:3],
        "h": lambda day: _MONTHS[day.month - 1][:3],
        "A": lambda day: _DAYS[day.weekday()],
        "a": lambda day: _DAYS[day.weekday()][:3],
        "u": lambda day: str(day.isoweekday()),
        "w": lambda day: str(day.isoweekday() % 7),
        "G": lambda day: f"{day.isocalendar().year:04d}",
        "V": lambda day: f"{day.isocalendar().week:02d}",
        "F": lambda day: day.isoformat(),
        "D": lambda day: f"{day.month:02d}/{day.day:02d}/{day.year % 100:02d}",
    }
)


def written_date(day: dt.date, date_format: str) -> str:
    """Return a day in a strftime format, with English names; times of day are midnight.

    :raises ValueError: an unknown directive, or one whose result depends on the machine
    """

    def written(found: re.Match[str]) -> str:
        directive = found[1]
        if directive in _MIDNIGHT:
            return _MIDNIGHT[directive]
        if directive not in _WRITTEN:
            raise ValueError(f"%{directive} is not allowed, because its result depends on the machine")
        return _WRITTEN[directive](day)

    return _DIRECTIVE.sub(written, date_format)
