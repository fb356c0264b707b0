"""Repair JSON that strict decoders reject although its values are clear: control characters, NaN, lone surrogates.

Used only after a strict decoder has failed. No I/O, on bytes, and without recursion, so that deep nesting is no
problem. JSON beyond repair is described by `json_fault.py`; pages are parsed in `response.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from airflow_provider_kapture.client.api.values import DecimalText

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
# The longest text that needs no repair; else a string, or a constant that the encoders of Python and JavaScript write
# although JSON does not define it.
_FIXABLE = re.compile(
    rb'(?s:(?P<clean>(?:"(?:[^"\\\x00-\x1f]++|\\.)*+"|[^"NI-])++)|' + _STRING + rb")|(?P<constant>-?Infinity|NaN)"
)
_CONTROL = re.compile(rb"[\x00-\x1f]")
_LINE_BREAK = re.compile(rb"[\r\n]")
_LONE_SURROGATE = re.compile(
    rb"(?:\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
# A string, a container without nested containers (as most orders are), or a structural character.
_STRUCTURE = re.compile(
    rb"(?s:" + _STRING + rb"|[\[{](?:[^\[\]{}\"]++|" + _STRING + rb")*+[\]}]|[\[\]{},:\"])",
)
_NAME = re.compile(_STRING, re.DOTALL)
_SPACE = b" \t\r\n"
_CONSTANTS = frozenset({b"NaN", b"Infinity", b"-Infinity"})


def strict(text: bytes, constant: bytes | None = None) -> bytes:
    r"""Return JSON with the same values that strict decoders accept.

    Control characters in strings become ``\u00XX``, and lone surrogates (such as of an emoji that was cut) U+FFFD.

    :param constant: replacement for NaN and the infinities; by default, strings
    """

    def repaired(found: re.Match[bytes]) -> bytes:
        token = found[0]
        if found.lastgroup == "clean":
            return token
        if found.lastgroup == "constant":
            return b'"%b"' % token if constant is None else constant
        return _CONTROL.sub(lambda control: b"\\u%04x" % ord(control[0]), token)

    return _FIXABLE.sub(repaired, replace_lone_surrogates(text))


def replace_lone_surrogates(text: bytes) -> bytes:
    """Return JSON with U+FFFD for each lone surrogate, which is not a character."""
    return _LONE_SURROGATE.sub(lambda found: rb"\ufffd" if found[1] else found[0], text)


def escape_line_breaks(text: bytes) -> bytes:
    r"""Return JSON with ``\n`` and ``\r`` for the line breaks in its strings, so that it fits in one line."""
    return _FIXABLE.sub(
        lambda found: (
            found[0]
            if found.lastgroup == "clean"
            else _LINE_BREAK.sub(lambda line_break: rb"\n" if line_break[0] == b"\n" else rb"\r", found[0])
        ),
        text,
    )


_OUTSIDE = re.compile(rb"(?s:(" + _STRING + rb")|[ \t\r\n]+)")


def compact(text: bytes) -> bytes:
    """Return JSON without the white space between its tokens."""
    return _OUTSIDE.sub(lambda found: found[1] or b"", text)


def scalar(token: bytes) -> Any:
    """Return the value of a JSON token; None for NaN, the infinities and containers.

    A number with more digits than Python parses is returned as text. A string keeps its lone surrogates, so that
    different strings stay different.
    """
    if token[:1] in (b"[", b"{") or token in _CONSTANTS:
        return None
    try:
        return json.loads(token, strict=False, parse_float=DecimalText)
    except ValueError:
        return token.decode()


def elements(text: bytes) -> list[bytes]:
    """Return the elements of a JSON array, each as in the text.

    :raises ValueError: the text is not an array, or its brackets and quotes are not balanced
    """
    return [text[start:end] for start, end in _cut(text, b"[")]


def members(text: bytes) -> list[tuple[Any, bytes]]:
    """Return the names of a JSON object, decoded, each with its value as in the text.

    :raises ValueError: the text is not an object, or its brackets and quotes are not balanced
    """
    found = []
    for start, end in _cut(text, b"{"):
        name = _NAME.match(text, start, end)
        if name is None:
            raise ValueError("no name")
        colon, _, value = text[name.end() : end].partition(b":")
        if colon.strip(_SPACE):
            raise ValueError("no colon")
        found.append((json.loads(strict(name[0])), value.strip(_SPACE)))
    return found


def _cut(text: bytes, opening: bytes) -> list[tuple[int, int]]:
    """Return start and end of each part of a container, without surrounding white space."""
    begin = len(text) - len(text.lstrip(_SPACE))
    if text[begin : begin + 1] != opening:
        raise ValueError("another kind of value")
    parts = []
    depth, start, at = 0, begin + 1, begin + 1
    while True:
        token = _STRUCTURE.search(text, at)
        if token is None:
            raise ValueError("no end")
        at = token.end()
        char = token[0]
        if char == b'"':
            raise ValueError("no end of a string")
        if char in (b"[", b"{"):
            depth += 1
        elif char in (b"]", b"}") and depth:
            depth -= 1
        elif not depth and char in (b",", b"]", b"}"):
            parts.append((start, token.start()))
            start = at
            if char != b",":
                break
    if text[at:].strip(_SPACE):
        raise ValueError("text after the end")
    return _stripped(text, parts)


def _stripped(text: bytes, parts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    found = []
    for start, end in parts:
        part = text[start:end]
        left = start + len(part) - len(part.lstrip(_SPACE))
        found.append((left, left + len(part.strip(_SPACE))))
    is_empty = len(found) == 1 and found[0][0] == found[0][1]
    return [] if is_empty else found
