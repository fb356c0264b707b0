"""Findings and the report: what was found out, and the settings that follow from it. Pure.

How a finding comes about is in the module of its question; how a report is shown, in render.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.config.settings import Dialect

# What the doctor finds out, in the order in which it is shown; true: a pull cannot be trusted without it.
CHECKS: Mapping[str, bool] = MappingProxyType(
    {
        "name": True,
        "connection": True,
        "TLS": True,
        "credentials": True,
        "method": True,
        "body": True,
        "filter": True,
        "date format": True,
        "envelope": True,
        "orders": True,
        "end date": True,
        "time zone": True,
        "page cap": True,
        "offset": True,
        "order": True,
        "past the end": True,
        "empty day": True,
        "control day": True,
        "widest range": False,
        "fields": False,
        "pace": False,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question.

    :ivar question: a key of :data:`CHECKS`
    :ivar answer: a word or two
    :ivar evidence: what was seen, or why it could not be told
    :ivar is_good: whether a pull with the recommended settings can be trusted in this
    :ivar settings: what it recommends for the connection's extra
    """

    question: str
    answer: str
    evidence: str
    is_good: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


NOT_REACHED = "the examination ended before it came to this"


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, and what follows.

    :ivar trusted: whether a pull with the recommended settings is complete or fails
    :ivar recommended: a whole object for the connection's extra; empty if the credentials are wrong, because then
        nothing else was found out
    :ivar changes: those of its keys that differ from the connection's
    """

    trusted: bool
    findings: tuple[Finding, ...]
    recommended: Mapping[str, Any]
    changes: tuple[str, ...]

    @property
    def wrong(self) -> list[str]:
        """Return the questions whose answers do not let a pull be trusted."""
        return [
            each.question
            for each in self.findings
            if CHECKS[each.question] and not each.is_good and each.evidence != NOT_REACHED
        ]

    @property
    def not_reached(self) -> list[str]:
        """Return the questions that the examination did not come to."""
        return [each.question for each in self.findings if each.evidence == NOT_REACHED]

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        shown = ("question", "answer", "evidence")
        return {
            "trusted": self.trusted,
            "findings": [{name: getattr(each, name) for name in shown} for each in self.findings],
            "recommended": dict(self.recommended),
        }


def build_report(findings: Iterable[Finding], dialect: Dialect) -> Report:
    """Put the findings in order, and what they recommend over the connection's settings.

    :param dialect: the connection's
    """
    found: dict[str, Finding] = {}
    for each in findings:
        # The first bad one stands: a later one may only add to it.
        if each.question not in found or found[each.question].is_good:
            found[each.question] = each
    ordered = tuple(found.get(each, Finding(each, "not known", NOT_REACHED, is_good=False)) for each in CHECKS)
    if "credentials" in found and not found["credentials"].is_good:
        return Report(trusted=False, findings=ordered, recommended={}, changes=())
    learnt: dict[str, Any] = {}
    if any(each.question == "orders" and each.answer == "found" for each in ordered):
        # Only an order proves that a setting is right.
        learnt = {key: value for each in ordered for key, value in each.settings.items()}
    recommended: dict[str, Any] = {"cm_id": dialect.cm_id}
    changes = []
    for setting in fields(Dialect):
        name, had = setting.name, getattr(dialect, setting.name)
        value = learnt.get(name, had)
        if value != had:
            changes.append(name)
        if value is not None and (name in learnt or value != getattr(_DEFAULTS, name)):
            recommended[name] = _to_json(name, value)
    trusted = all(each.is_good for each in ordered if CHECKS[each.question])
    return Report(trusted, ordered, recommended, tuple(changes))


_DEFAULTS = Dialect(cm_id=0)


def _to_json(name: str, value: Any) -> Any:
    if name == "headers":
        return dict.fromkeys(value, "***")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _to_json("", each) for key, each in value.items()}
    return [_to_json("", each) for each in value] if isinstance(value, tuple | list) else value
