"""The topics of switches, and the function that declares a switch. The switches themselves are in ``switches``."""

from __future__ import annotations

from dataclasses import field
from typing import Any

TOPICS = (
    "credentials",
    "method",
    "dates",
    "filters",
    "body",
    "pagination",
    "nothing found",
    "envelope",
    "values",
    "wire",
    "pace",
    "changes",
)


def switch(topic: str, default: Any, text: str, *, least: float | None = None, unit: str | None = None) -> Any:
    """Return a dataclass field that is a switch.

    :param topic: one of :data:`TOPICS`
    :param default: the value of a server that follows the vendor's documentation
    :param text: its effect, in one line
    :param least: the smallest value of a number
    :param unit: how the command's help names the value; by default SECONDS for a number that need not be whole
    """
    return field(default=default, metadata={"topic": topic, "help": text, "least": least, "unit": unit})
