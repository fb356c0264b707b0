"""What the answers mean: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.doctor.probe import ProbeResult

# What the doctor finds out, in the order it is told; those that a pull can't do without are true.
CHECKS: Mapping[str, bool] = MappingProxyType(
    {
        "name": True,
        "connection": True,
        "TLS": True,
        "credentials": True,
        "method": True,
        "filter": True,
        "date format": True,
        "envelope": True,
        "empty day": True,
        "widest range": False,
        "orders": True,
        "end date": True,
        "time zone": True,
        "page cap": True,
        "offset": True,
        "order": True,
        "pace": False,
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question.

    :ivar question: a key of :data:`CHECKS`
    :ivar answer: a word or two
    :ivar evidence: what was seen, or why it could not be told
    :ivar is_good: whether a pull can live with it
    :ivar settings: what it recommends for the connection's extra
    """

    question: str
    answer: str
    evidence: str
    is_good: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


_NOT_REACHED = "the examination ended before it came to this"


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, and what follows.

    :ivar trusted: whether a pull with the recommended settings is complete or fails
    :ivar recommended: a whole object for the connection's extra
    :ivar changes: those of its keys that differ from the connection's
    """

    trusted: bool
    findings: tuple[Finding, ...]
    recommended: Mapping[str, Any]
    changes: tuple[str, ...]

    @property
    def wrong(self) -> list[str]:
        """The questions whose answers a pull can't live with."""
        return [
            each.question
            for each in self.findings
            if CHECKS[each.question] and not each.is_good and each.evidence != _NOT_REACHED
        ]

    @property
    def not_reached(self) -> list[str]:
        """The questions that the examination did not come to."""
        return [each.question for each in self.findings if each.evidence == _NOT_REACHED]

    def as_json(self) -> dict[str, Any]:
        """The report for machines."""
        shown = ("question", "answer", "evidence")
        return {
            "trusted": self.trusted,
            "findings": [{name: getattr(each, name) for name in shown} for each in self.findings],
            "recommended": dict(self.recommended),
        }


def build_report(findings: Iterable[Finding], dialect: Dialect, pace: Finding) -> Report:
    """Put the findings in order, and the connection's settings beside them."""
    found = {each.question: each for each in (*findings, pace)}
    ordered = tuple(found.get(each, Finding(each, "not known", _NOT_REACHED, is_good=False)) for each in CHECKS)
    learnt = {key: value for each in ordered for key, value in each.settings.items()}
    recommended: dict[str, Any] = {"cm_id": dialect.cm_id}
    changes = []
    for each in fields(Dialect):
        had = getattr(dialect, each.name)
        value = learnt.get(each.name, had)
        if value != had:
            changes.append(each.name)
        if each.name in learnt or value != _default(each.name):
            recommended[each.name] = _to_json(value)
    trusted = all(each.is_good for each in ordered if CHECKS[each.question])
    return Report(trusted, ordered, recommended, tuple(changes))


def _default(name: str) -> Any:
    return getattr(Dialect(cm_id=0), name)


def _to_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


# -- the listing --


def is_same_listing(one: Sequence[OrderKey], other: Sequence[OrderKey]) -> bool:
    """Whether two pages are one of a listing in which a few orders came or went: most in both, in the same order."""
    places = {key: place for place, key in enumerate(one)}
    common = [places[key] for key in other if key in places]
    return 2 * len(common) >= len(one) and all(earlier < later for earlier, later in pairwise(common))


def direction(instants: Sequence[int]) -> str:
    """Which way a listing goes by ``createDate``."""
    rising = all(earlier <= later for earlier, later in pairwise(instants))
    falling = all(earlier >= later for earlier, later in pairwise(instants))
    if rising and falling:
        return "stable"
    return "oldest first" if rising else "newest first" if falling else "stable, not by createDate"


def order_finding(first: ProbeResult, again: Sequence[ProbeResult]) -> Finding:
    """Whether the listing has one order, and which way it goes."""
    count = len(first.keys)
    if not all(is_same_listing(first.keys, each.keys) for each in again):
        return Finding(
            "order",
            "not stable",
            f"the same request was answered with other orders, or with the same {count} in another order: no page can "
            "be trusted to follow another; ask for a stable order with `sortParam` in `default_body`",
            is_good=False,
        )
    if count < 2:
        return Finding(
            "order", "not known", "the listing has a single order; `--day` names a busier day", is_good=False
        )
    instants = [each for each in first.instants if each is not None]
    return Finding(
        "order", direction(instants), f"the same request was answered {len(again) + 1} times alike, {count} orders"
    )


def offset_finding(first: ProbeResult, behind: ProbeResult, offset: int) -> Finding:
    """Whether ``offset`` passes over rows.

    :param first: the page at offset 0
    :param behind: the page at ``offset``
    """
    top = first.keys[0]
    if top in behind.keys:
        return Finding(
            "offset",
            "ignored",
            f"the page at offset {offset} has the first order of the page at 0: what lies beyond the first page can't "
            "be read",
            is_good=False,
        )
    if offset < len(first.keys) and not behind.keys:
        return Finding(
            "offset", "not known", f"nothing stands at offset {offset} of {len(first.keys)} orders", is_good=False
        )
    starts = "starts further down than the one at 0" if behind.keys else "is empty"
    return Finding("offset", "honoured", f"the page at offset {offset} {starts}")


def cap_finding(first: ProbeResult, anchored: ProbeResult, behind: ProbeResult, page_size: int) -> Finding:
    """How many rows a page brings at most.

    :param first: the page at offset 0
    :param anchored: the page that starts on its last order, or after its only one
    :param behind: a page that starts there or further down
    """
    count = len(first.keys)
    is_more = any(key not in first.keys for key in behind.keys)
    if is_more and (count < 2 or not any(key not in first.keys for key in anchored.keys)):
        return Finding(
            "page cap",
            str(count),
            f"a page brings {count} row(s), and one that starts on its last order none that is new: there is no way "
            "from page to page",
            is_good=False,
        )
    if is_more and count < page_size:
        return Finding(
            "page cap",
            str(count),
            f"{page_size} rows were asked for, {count} came, and more stand behind them",
            settings={"page_size": count},
        )
    seen = f"{page_size} rows were asked for, {count} came" + ("" if count >= page_size else ", and they were all")
    return Finding("page cap", f"at least {count}", seen, settings={"page_size": page_size})


# -- pace --


@dataclass(frozen=True, slots=True)
class Pace:
    """When requests were made.

    :ivar times: the start of each, seconds of a monotonic clock
    :ivar end: when the last was answered
    :ivar first_busy: the index of the first that was too many; none where none was
    """

    times: tuple[float, ...]
    end: float
    first_busy: int | None


_MIN_REQUESTS = 5


def pace_finding(pace: Pace) -> Finding:
    """How many pages a second the account stands, as far as one request after another shows it."""
    if pace.first_busy is not None:
        refused = pace.times[pace.first_busy]
        stood = max(sum(refused - 1 < each < refused for each in pace.times), 1)
        return Finding(
            "pace",
            f"{stood} a second",
            f"request {pace.first_busy + 1} was too many: {stood} within the second before it were answered",
            settings={"requests_per_second": stood},
        )
    if len(pace.times) < _MIN_REQUESTS:
        return Finding("pace", "not known", f"{len(pace.times)} request(s) are too few to tell", is_good=False)
    took = max(pace.end - pace.times[0], 0.001)
    return Finding(
        "pace",
        f"at least {len(pace.times) / took:.1f} a second",
        f"{len(pace.times)} requests, one after another, took {took:.1f} s and none was too many; pages side by side "
        "were not tried",
    )
