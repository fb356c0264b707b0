"""Every gap of the vendor's page and every misbehaviour, as a switch."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

Position = Literal["top", "middle", "end", "random"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the emulator behaves. The defaults are those of a well-behaved server that keeps to the vendor's page.

    A fault that comes with "every Nth request" counts the requests since the switches were last changed; where
    several are due at once, the first in the order below wins.
    """

    # What the vendor's page leaves open.
    method: Literal["POST", "GET", "both"] = field(
        default="POST", metadata={"help": "which HTTP method is accepted; another gets 405"}
    )
    envelope: Literal["success", "boolean", "status"] = field(
        default="success",
        metadata={"help": 'how success is said: "success": "true", "success": true, or "status": "success"'},
    )
    failure_keys: Literal["lower", "capital"] = field(
        default="lower", metadata={"help": 'how failure is spelt: "status"/"message", or "Status"/"Message"'}
    )
    bad_auth: Literal[401, 200] = field(
        default=401, metadata={"help": 'the HTTP status under which "Invalid Auth Key" is said'}
    )
    order: Literal["newest", "oldest"] = field(default="newest", metadata={"help": "which orders come first"})
    timezone: str | None = field(
        default=None, metadata={"help": "the zone that dates are read in, an IANA name; none: that of the book"}
    )
    date_format: str = field(default="%Y-%m-%d", metadata={"help": "how dates must be written (strftime); else 400"})
    end_date: Literal["inclusive", "exclusive"] = field(
        default="inclusive", metadata={"help": "whether the end date's day is part of it"}
    )
    max_days: int | None = field(
        default=None, metadata={"help": "the widest range of days for one request; a wider one gets 400", "least": 1}
    )
    window_is_filter: bool = field(
        default=True,
        metadata={"help": "whether createStartDate or createEndDate alone will do as the filter that must be there"},
    )
    empty: Literal["array", "message", "null"] = field(
        default="array", metadata={"help": "an answer without orders: an empty list, a failure with a message, or null"}
    )
    default_limit: int = field(default=100, metadata={"help": "rows of a page where no limit is asked for", "least": 1})
    page_cap: int | None = field(
        default=None, metadata={"help": "the most rows that a page has, whatever limit is asked for", "least": 1}
    )
    indent: bool = field(default=False, metadata={"help": "write answers with line breaks and indentation"})
    gzip: bool = field(default=False, metadata={"help": "pack answers for clients that accept it"})
    numbers_as_strings: bool = field(default=False, metadata={"help": "write every number as a string"})
    unknown_fields: bool = field(default=False, metadata={"help": "add fields that the page doesn't have"})
    missing_fields: bool = field(default=False, metadata={"help": "leave fields out of some orders"})

    # Answers that are not orders.
    latency: float = field(default=0.0, metadata={"help": "seconds before each answer", "least": 0})
    redirect: str | None = field(default=None, metadata={"help": "send every request to this URL, with 302"})
    status_every: int | None = field(
        default=None, metadata={"help": "answer every Nth request with --status", "least": 1}
    )
    status: int = field(
        default=503, metadata={"help": "the HTTP status for --status-every; 200 says a failure under 200"}
    )
    retry_after: str | None = field(
        default=None, metadata={"help": "Retry-After of these and of each 429: seconds or an HTTP date, sent as it is"}
    )
    max_in_flight: int | None = field(
        default=None, metadata={"help": "answer 429 to what comes beyond so many requests at once", "least": 1}
    )
    max_per_second: int | None = field(
        default=None, metadata={"help": "answer 429 to what comes beyond so many requests within a second", "least": 1}
    )
    html_every: int | None = field(
        default=None, metadata={"help": "answer every Nth request with an HTML page under 200", "least": 1}
    )
    verbatim: str | None = field(default=None, metadata={"help": "answer every request with this text, under 200"})
    drop_every: int | None = field(
        default=None, metadata={"help": "drop the connection in the middle of every Nth answer", "least": 1}
    )
    truncate_every: int | None = field(
        default=None, metadata={"help": "end the JSON of every Nth answer in its middle", "least": 1}
    )
    bomb: bool = field(default=False, metadata={"help": "answer with a megabyte of gzip that unpacks to a gigabyte"})

    # Listings that are not what they seem.
    offset_ignored: bool = field(default=False, metadata={"help": "answer every request with the first page"})
    shuffle: bool = field(default=False, metadata={"help": "another order of the rows in each answer"})
    repeat_edge: int = field(
        default=0, metadata={"help": "start each page but the first so many rows before its offset", "least": 0}
    )
    insert_per_answer: int = field(
        default=0, metadata={"help": "orders that appear in the listing after each of its answers", "least": 0}
    )
    insert_at: Position = field(default="top", metadata={"help": "where they appear"})
    delete_per_answer: int = field(
        default=0, metadata={"help": "orders that vanish from the listing after each of its answers", "least": 0}
    )
    delete_at: Position = field(default="top", metadata={"help": "where they vanish"})

    def __post_init__(self) -> None:
        wanted = switch_types()
        for each in fields(self):
            value, least = getattr(self, each.name), each.metadata.get("least")
            if not _fits(value, wanted[each.name]):
                raise ValueError(f"Switch {each.name} is {value!r}: it must be {described(wanted[each.name])}")
            if value is not None and least is not None and not least <= value < math.inf:
                raise ValueError(f"Switch {each.name} is {value!r}: it must be {least} or more")
        if not 200 <= self.status <= 599:
            raise ValueError(f"Switch status is {self.status!r}: it must be an HTTP status from 200 to 599")
        if self.timezone is not None:
            check_zone("Switch timezone", self.timezone)

    def changed(self, changes: Mapping[str, Any]) -> Switches:
        """These switches with some changed.

        :raises ValueError: an unknown switch (names the nearest) or a value that is none of its
        """
        known = switch_types()
        for name in changes:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                raise ValueError(f"Unknown switch {name!r}" + (f": did you mean {near[0]!r}?" if near else ""))
        return replace(self, **changes)


def switch_types() -> dict[str, Any]:
    """The type of each switch."""
    hints = get_type_hints(Switches)
    return {each.name: hints[each.name] for each in fields(Switches)}


def check_zone(what: str, name: str) -> None:
    """Raise ValueError unless it is the name of a time zone."""
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"{what} is {name!r}: it must be an IANA name such as Asia/Kolkata") from error


def choices(wanted: Any) -> tuple[Any, ...]:
    """The values that a switch's type names one by one, where it does."""
    return get_args(wanted) if get_origin(wanted) is Literal else ()


def bare(wanted: Any) -> Any:
    """A switch's type without "or none"."""
    if get_origin(wanted) in (Union, types.UnionType):
        return next(each for each in get_args(wanted) if each is not type(None))
    return wanted


def described(wanted: Any) -> str:
    """A switch's type in words."""
    named = choices(wanted)
    if named:
        return "one of " + ", ".join(map(str, named))
    optional = " or none" if bare(wanted) is not wanted else ""
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[bare(wanted)] + optional


def _fits(value: Any, wanted: Any) -> bool:
    named = choices(wanted)
    if named:
        return type(value) in (str, int) and value in named
    if value is None:
        return bare(wanted) is not wanted
    kind = bare(wanted)
    return type(value) is kind or (kind is float and type(value) is int)
