"""The response that means "no orders": learnt from two distant days without orders. Pure."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from typing import Any

from airflow_provider_kapture.client.api.empties import is_known_empty
from airflow_provider_kapture.client.api.failures import OK
from airflow_provider_kapture.client.config.empty_answers import parse_empty_answers
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.words import masked, meaning_of
from airflow_provider_kapture.doctor.examination import LONG_AGO, Examination, Steps, days
from airflow_provider_kapture.doctor.probe import ProbeResult, Problem

_ALSO_LONG_AGO = dt.date(2003, 8, 28)
_AHEAD, _FURTHER_AHEAD = days(400), days(487)
_MAX_TEXT = 400
# Requests that are made again where a fault came instead of a response.
_MORE_TRIES = 2
_CLAIMS = frozenset({"success", "status", "code"})
# Words of a range that is refused, and of one that holds nothing.
_OF_RANGE = re.compile(
    r"\b(only|last|max|maximum|greater|less|future|exceed\w*|allowed|range|format|invalid|limit|must|mandatory|"
    r"required|hours)\b",
    re.IGNORECASE,
)
_OF_NOTHING = re.compile(r"\b(no|not found|nothing|none|empty|zero|0)\b", re.IGNORECASE)


def find_empty(exam: Examination) -> Steps[None]:
    """Ask for distant days, and find out how the account says that there are no orders."""
    exam.topic = "empty day"
    past = exam.long_ago
    if past is None or (past.error is not None and past.error.transient):
        past = yield from _ask(exam, LONG_AGO)
    ahead = yield from _ask(exam, exam.today + _AHEAD)
    known = next((each for each in (past, ahead) if each.is_answered and not each.keys), None)
    if known is not None and (past.is_answered or ahead.is_answered):
        _note_known(exam, known, both=past.is_answered and ahead.is_answered)
        return
    answer = _answer(exam, past, ahead)
    if answer is not None and not _OF_RANGE.search(_words(answer)):
        _note_answer(exam, answer, f"{LONG_AGO} and a day {_AHEAD.days} days ahead")
        return
    pairs = ((past, ahead, _ALSO_LONG_AGO), (ahead, past, exam.today + _FURTHER_AHEAD))
    for one, refused, other in pairs:
        if not _may_be_empty(one, refused):
            continue
        again = yield from _ask(exam, other)
        answer = _answer(exam, one, again)
        if answer is not None:
            _note_answer(exam, answer, "two distant days, while one was refused,")
            return
    _note_unknown(exam, past, ahead)


def is_empty(exam: Examination, result: ProbeResult) -> bool:
    """Return whether a response means that there are no orders, as far as is known by now."""
    if result.is_answered:
        return not result.keys
    return is_known_empty(exam.dialect, result.status or 0, _bytes(result.body))


def _ask(exam: Examination, day: dt.date) -> Steps[ProbeResult]:
    result = yield from exam.ask(DayRange(day, day + days(exam.extra_days)), is_tentative=True)
    for _ in range(_MORE_TRIES):
        if _is_cut(result) or result.problem is Problem.METHOD:
            result = yield from exam.ask(DayRange(day, day + days(exam.extra_days)), is_tentative=True)
    return result


def _is_cut(result: ProbeResult) -> bool:
    """Return whether a response is JSON that is not whole."""
    return isinstance(result.body, str) and result.body.lstrip()[:1] in ("{", "[")


def _may_be_empty(result: ProbeResult, refused: ProbeResult) -> bool:
    """Return whether a response may say that there is nothing, where that to another distant day is unlike it.

    :param refused: the response to the other day, which may say that days so distant are refused
    """
    words = json.dumps(result.body)
    is_other_refused = bool(_OF_RANGE.search(json.dumps(refused.body)))
    return not _OF_RANGE.search(words) and (is_other_refused or bool(_OF_NOTHING.search(words)))


def _words(answer: dict[str, Any]) -> str:
    return json.dumps(answer)


def _answer(exam: Examination, one: ProbeResult, other: ProbeResult) -> dict[str, Any] | None:
    """Return the object for `empty_answers` that two responses have in common; none if there is no safe one."""
    if one.status != other.status or one.keys or other.keys or one.error is None or one.body == "<…":
        return None
    is_json = one.status == OK and isinstance(one.body, dict)
    whole = {"body": one.body} if is_json and _masked(one.body) == _masked(other.body) else None
    both = (one, other)
    for answer in (_common(one, other), whole):
        if answer is None or len(json.dumps(answer)) > _MAX_TEXT:
            continue
        try:
            parsed = parse_empty_answers("empty_answers", [answer])
        except KaptureSettingsError:
            continue
        dialect = replace(exam.dialect, empty_answers=parsed)
        if all(is_known_empty(dialect, each.status or 0, _bytes(each.body)) for each in both):
            return answer
    return None


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _common(one: ProbeResult, other: ProbeResult) -> dict[str, Any] | None:
    status = one.status or 0
    if status == 204:
        return {"status": 204}
    if one.body == [] and other.body == []:
        return {"body": []} if status == 200 else {"status": status, "body": []}
    if isinstance(one.body, str) and isinstance(other.body, str):
        is_page = status == 200 and one.body.lstrip().startswith("<")
        if not one.body.strip() or is_page or _is_cut(one) or masked(one.body) != masked(other.body):
            return None
        return {"status": status, "body": _shown(one.body, other.body)}
    if not isinstance(one.body, dict) or not isinstance(other.body, dict):
        return None
    return _common_keys(status, one.body, other.body)


def _common_keys(status: int, one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """Return the keys whose values are alike, and the HTTP status where it is not 200."""
    found: dict[str, Any] = {} if status == 200 else {"status": status}
    has_content = has_text = False
    for name, value in one.items():
        is_taken = name == "body" or (status != 200 and name.lower() == "status")
        if is_taken or name not in other or _masked(value) != _masked(other[name]):
            continue
        found[name] = _shown(value, other[name])
        if name.lower() not in _CLAIMS:
            has_content = has_content or value is not None
            has_text = has_text or (isinstance(value, str) and bool(value.strip()))
    if not has_content:
        # A claim of failure alone would match every failure.
        return None
    if not has_text and not any(name.lower() == "message" for name in found):
        found["message"] = None
    return found


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return {name: _masked(each) for name, each in value.items()} if isinstance(value, dict) else (type(value), value)


def _shown(value: Any, other: Any) -> Any:
    """Return a value as it is, or with its digits masked where they differ."""
    if isinstance(value, str):
        return value.strip() if value.strip() == other.strip() else masked(value)
    return value


# -- findings --


def _note_known(exam: Examination, result: ProbeResult, *, both: bool) -> None:
    asked = "two distant days were" if both else "a distant day was"
    body = result.body
    path = exam.dialect.rows_at
    rows = body.get(path, ()) if isinstance(body, dict) and path else body
    answer = "an empty list" if rows == [] else "null" if rows is None else "as the settings say"
    exam.note("empty day", answer, f"{asked} answered so")


def _note_answer(exam: Examination, answer: dict[str, Any], asked: str) -> None:
    answers = (*(dict(each) for each in exam.dialect.empty_answers), answer)
    exam.dialect = replace(exam.dialect, empty_answers=parse_empty_answers("empty_answers", list(answers)))
    exam.note(
        "empty day",
        "a response",
        f"{asked} were answered alike: {json.dumps(answer, ensure_ascii=False)}",
        settings={"empty_answers": answers},
    )


def _note_unknown(exam: Examination, past: ProbeResult, ahead: ProbeResult) -> None:
    is_refused = all(_OF_RANGE.search(each.message) and meaning_of(each.message) is None for each in (past, ahead))
    if is_refused:
        exam.note("empty day", "not told", "distant days are refused; a pull of a day without orders may fail")
        return
    error = past.error or ahead.error
    exam.note(
        "empty day",
        "not known",
        f"a day without orders can't be told from a fault, and its pull fails: {error}",
        is_good=False,
    )
