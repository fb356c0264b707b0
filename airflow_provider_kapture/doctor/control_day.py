"""Connection extra `control_day`: a day that proves empty windows where a query finds no order. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

from airflow_provider_kapture.doctor.empties import is_empty
from airflow_provider_kapture.doctor.examination import Examination, Steps, days
from airflow_provider_kapture.doctor.format_proof import is_same_refusal
from airflow_provider_kapture.doctor.paging_kinds import Kind
from airflow_provider_kapture.doctor.probe import ProbeResult

_DAYS = re.compile(r"\b(\d{1,4})[ -]*days?\b", re.IGNORECASE)
# Ages that are asked for, where the refusal does not say how old a day may be.
_AGES = (31, 92, 184, 366)
_MIN_LEFT = 8


def find_control_day(
    exam: Examination, pages: Mapping[dt.date, ProbeResult], kind: Kind | None, control: ProbeResult
) -> Steps[None]:
    """Note the day that a pull without orders is to be proven by, where it finds none itself.

    :param pages: the first page of each day, as a pull requests it
    :param control: the response to the request for orders of any date
    """
    exam.topic = "control day"
    had = exam.account.dialect.control_day
    if had is not None:
        result = pages.get(had) or (yield from exam.ask_day(had))
        if result.keys:
            expiry = yield from _expiry(exam, had)
            exam.note("control day", str(had), f"it has orders; {expiry}", settings={"control_day": had})
            return
    is_found = bool(control.keys) and kind not in (Kind.UNPAGED, Kind.LIMIT_IGNORED)
    gone = f"{had} has no orders; " if had is not None else ""
    latest = max((each for each, page in pages.items() if page.keys and each < exam.today), default=None)
    if is_found:
        settings = {"control_day": latest} if had is not None else None
        exam.note("control day", "not needed", f"{gone}a pull finds orders of any date itself", settings=settings)
    elif latest is None:
        exam.note("control day", "none", f"{gone}no past day with orders is known; a pull without orders warns")
    else:
        expiry = yield from _expiry(exam, latest)
        why = "`limit` is ignored" if control.keys else "orders of any date are not given"
        exam.note(
            "control day",
            str(latest),
            f"{gone}{why}: it proves empty pulls; {expiry}",
            settings={"control_day": latest},
        )


def _expiry(exam: Examination, day: dt.date) -> Steps[str]:
    """Return when the account will no longer answer for a day."""
    past = exam.long_ago
    if past is None or is_empty(exam, past) or past.status not in (200, 400, 404, 422):
        return "it does not expire"
    if found := _DAYS.search(past.message):
        return f"it expires on {day + days(int(found[1]))}, as only the last {found[1]} days are answered"
    answered = (exam.today - day).days
    for age in _AGES:
        if age <= answered or exam.left < _MIN_LEFT:
            continue
        result = yield from exam.ask_day(exam.today - days(age))
        if not result.is_answered and is_same_refusal(result, past):
            return f"it expires between {day + days(answered)} and {day + days(age)}"
        answered = age
    return "days as old as 2001 are refused, so it may expire"
