"""Switches as text for the command line: parsing of ``NAME=VALUE``, and the list of all switches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from airflow_provider_kapture.emulator.switch_topics import TOPICS
from airflow_provider_kapture.emulator.switches import Switches, choices, describe_type, switch_types, without_none

_FLAGS = {"true": True, "false": False, "yes": True, "no": False}


def parse_assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Return the switches of ``NAME=VALUE`` texts; the last value of a switch wins.

    :raises ValueError: an unknown switch (suggests the nearest name) or an invalid value
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator:
            raise ValueError(f"{text!r} is not NAME=VALUE, such as auth=key")
        found[name] = _value(name, value)
        Switches().changed({name: found[name]})
    return found


def _value(name: str, text: str) -> Any:
    expected = switch_types().get(name, str)
    named, kind = choices(expected), without_none(expected)
    if named:
        return next((each for each in named if str(each) == text), text)
    if text.lower() == "none" and kind is not expected:
        return None
    if kind is bool:
        return _FLAGS.get(text.lower(), text)
    try:
        return kind(text)
    except ValueError:
        return text


def list_switches() -> str:
    """Return the list of all switches by topic, one per line."""
    lines = []
    for topic in TOPICS:
        lines.append(f"{topic}:")
        of_topic = [each for each in fields(Switches) if each.metadata["topic"] == topic]
        lines += [f"  {each.name}={values(each.name)}  {each.metadata['help']}" for each in of_topic]
        lines.append("")
    return "\n".join(lines)


def values(name: str) -> str:
    """Return the values of a switch as text, its default first."""
    expected, default = switch_types()[name], getattr(Switches(), name)
    named = choices(expected)
    if named:
        return "|".join(map(str, [default, *(each for each in named if each != default)]))
    if without_none(expected) is bool:
        return "true|false" if default else "false|true"
    return {None: "none", "": '""'}.get(default, str(default)) + f" ({describe_type(without_none(expected))})"
