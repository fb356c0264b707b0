"""The topics that switches belong to, and how one is declared."""

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


def switch(topic: str, default: Any, text: str, *, least: float | None = None) -> Any:
    """A dataclass field that is a switch.

    :param topic: one of :data:`TOPICS`
    :param default: the value of a server that keeps to the vendor's page
    :param text: what it does, in one line
    :param least: the smallest value, of a number
    """
    return field(default=default, metadata={"topic": topic, "help": text, "least": least})
