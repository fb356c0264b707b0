"""Find where and why a body is malformed JSON, for an error that names the byte and the order. No I/O, no recursion.

As in `json_repair.py`, which repairs them, control characters in strings, NaN and lone surrogates are not faults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_GOOD_STRING = rb'"(?:[^"\\]++|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*+'
_TOKEN = re.compile(
    rb"(?P<string>" + _GOOD_STRING + rb'")'
    rb"|(?P<scalar>(?:-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null|NaN|-?Infinity)"
    rb"(?![0-9A-Za-z.+-]))"
    rb"|(?P<punctuation>[\[\]{},:])"
)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_START_OF_STRING = re.compile(_GOOD_STRING)
_START_OF_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_START_OF_SCALAR = re.compile(rb"[-+0-9.eE]++\Z|[a-zA-Z-]++\Z")
# Tokens that may follow: s is a string, v another scalar; the others are the characters themselves.
_VALUE = b"sv[{"
_EXPECTED = {
    _VALUE: "a value",
    _VALUE + b"]": "a value or ']'",
    b"s": "a field name",
    b"s}": "a field name or '}'",
    b":": "':'",
    b",}": "',' or '}'",
    b",]": "',' or ']'",
    b"": "the end",
}
_AFTER = {b"": b"", b"{": b",}", b"[": b",]"}
# Deeper nesting is a fault: each level takes time, and no order needs that many.
_MAX_DEPTH = 100_000
# Nesting depth of an order: envelope, list, order.
_ORDER_DEPTH = 3


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a JSON text.

    :ivar place: position in bytes, from 0
    :ivar reason: what is wrong, without any of the text
    :ivar is_truncated: whether only the end of the text is missing
    :ivar number: position of the order in the list, from 1; 0 outside of the orders
    :ivar order_id: JSON token of that order's ``id``, if it was read before the fault
    """

    place: int
    reason: str
    is_truncated: bool = False
    number: int = 0
    order_id: bytes = b""


class _Reader:
    """State of the reader: open containers, expected tokens, current order."""

    def __init__(self) -> None:
        self.stack: list[bytes] = []
        self.expected = _VALUE
        self.number = 0
        self.order_id = b""
        self._name = b""

    def take(self, kind: str, token: bytes) -> bool:
        """Advance past a token; return False if it is not allowed here."""
        code = {"string": b"s", "scalar": b"v"}.get(kind, token)
        if code not in self.expected:
            return False
        if code == b"s" and b"v" not in self.expected:
            self._name, self.expected = token, b":"
        elif code in (b"[", b"{"):
            self._open(code)
        elif code in (b"]", b"}"):
            self.stack.pop()
            self.expected = self._after()
        elif code == b":":
            self.expected = _VALUE
        elif code == b",":
            self.expected = b"s" if self.stack[-1] == b"{" else _VALUE
        else:
            if self._name == b'"id"' and len(self.stack) == _ORDER_DEPTH:
                self.order_id = token
            self.expected = self._after()
        return True

    def _open(self, code: bytes) -> None:
        self.stack.append(code)
        self.expected = b"s}" if code == b"{" else _VALUE + b"]"
        if len(self.stack) == _ORDER_DEPTH and code == b"{":
            self.number += 1
            self.order_id = b""

    def _after(self) -> bytes:
        return _AFTER[self.stack[-1] if self.stack else b""]

    def fault(self, place: int, reason: str, *, is_truncated: bool = False) -> Fault:
        is_in_order = len(self.stack) >= _ORDER_DEPTH
        number, order_id = (self.number, self.order_id) if is_in_order else (0, b"")
        return Fault(place, reason, is_truncated, number, order_id)


def find_fault(text: bytes) -> Fault | None:
    """Return the first fault of a text, or None if the text is one JSON value."""
    reader = _Reader()
    try:
        text.decode()
        limit = len(text)
    except UnicodeDecodeError as error:
        limit = error.start
    at = 0
    while True:
        at = _skip_space(text, at)
        if at >= limit:
            break
        token = _TOKEN.match(text, at)
        if token is None or token.end() > limit:
            break
        assert token.lastgroup is not None
        if not reader.take(token.lastgroup, token[0]):
            return reader.fault(at, f"{_EXPECTED[reader.expected]} expected")
        at = token.end()
        if len(reader.stack) > _MAX_DEPTH:
            return reader.fault(at, f"more than {_MAX_DEPTH} levels of nesting")
    if limit < len(text):
        # An incomplete UTF-8 character at the end is a truncation.
        is_cut = limit >= len(text) - 3 and _is_start_of_character(text[limit:])
        return reader.fault(limit, "a byte that is not UTF-8", is_truncated=is_cut)
    if at >= limit:
        return reader.fault(at, "the end is missing", is_truncated=True) if reader.expected else None
    return _fault_of_token(reader, text, at)


def _skip_space(text: bytes, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _is_start_of_character(rest: bytes) -> bool:
    try:
        rest.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False


def _fault_of_token(reader: _Reader, text: bytes, at: int) -> Fault:
    """Return the fault at a position where no token starts."""
    started = _START_OF_STRING.match(text, at)
    if started is not None and b"s" in reader.expected:
        end = started.end()
        if end == len(text) or _START_OF_ESCAPE.match(text, end):
            return reader.fault(len(text), "the end of a string is missing", is_truncated=True)
        return reader.fault(end, "an invalid escape in a string")
    is_cut = b"v" in reader.expected and _START_OF_SCALAR.match(text, at) is not None
    return reader.fault(at, f"{_EXPECTED[reader.expected]} expected", is_truncated=is_cut)
