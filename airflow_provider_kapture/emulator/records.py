"""Variants of an order's JSON, as the switches require; the original is in ``book``."""

from __future__ import annotations

import datetime as dt
import re

from airflow_provider_kapture.emulator.book import Order
from airflow_provider_kapture.emulator.switches import Switches

_PAIR = re.compile(rb'("(?:[^"\\]|\\.)*"):("(?:[^"\\]|\\.)*"|[^,}]+)')
_OMITTED_FIELDS = (b'"remarks"', b'"lastModificationTime"', b'"vatamount"')
_EXTRA_FIELDS = (
    (b'"orderScore"', b"0.1250"),
    (b'"customFields"', '{"color":"बैंगनी","sizes":[1,2.50,null]}'.encode()),
)
_CREATE_DATE = b'"createDate"'
_DATE_FORMATS = {"words": "%B %d, %Y %I:%M:%S %p", "iso": "%Y-%m-%d %H:%M:%S", "day_first": "%d-%m-%Y %H:%M"}


def is_rewritten(switches: Switches) -> bool:
    """Return whether the switches require other JSON than the book's."""
    flags = (switches.numbers_as_strings, switches.unknown_fields, switches.missing_fields, switches.nan)
    return any(flags) or switches.create_date != "ms"


def rewritten(order: Order, switches: Switches) -> bytes:
    """Return an order's JSON as the switches require; all other values are byte for byte those of the book."""
    pairs = _PAIR.findall(order.record)
    if switches.missing_fields and order.id % 3 == 0:
        pairs = [pair for pair in pairs if pair[0] not in _OMITTED_FIELDS]
    if switches.create_date != "ms":
        date = _create_date(order.create_ms, switches.create_date)
        pairs = [(name, date if name == _CREATE_DATE else value) for name, value in pairs]
        pairs = [pair for pair in pairs if pair[1]]
    if switches.nan and order.id % 4 == 0:
        pairs = [(name, b"NaN" if name == b'"productValue"' else value) for name, value in pairs]
    if switches.unknown_fields:
        pairs = [*pairs, *_EXTRA_FIELDS]
    if switches.numbers_as_strings:
        pairs = [(name, b'"%b"' % value if value[:1] in b"-0123456789" else value) for name, value in pairs]
    if switches.indent:
        return b"{\n            %b\n        }" % b",\n            ".join(b"%b: %b" % pair for pair in pairs)
    return b"{%b}" % b",".join(b"%b:%b" % pair for pair in pairs)


def _create_date(create_ms: int, how: str) -> bytes:
    """Return the JSON value of ``createDate``; empty if the field is omitted."""
    if how in _DATE_FORMATS:
        return f'"{dt.datetime.fromtimestamp(create_ms // 1_000, dt.UTC):{_DATE_FORMATS[how]}}"'.encode()
    values = {
        "seconds": str(create_ms // 1_000),
        "text": f'"{create_ms}"',
        "float": f"{create_ms}.0",
        "null": "null",
        "missing": "",
    }
    return values[how].encode()
