"""Connection extra `page_size`: a `limit` that is accepted. What a page holds at most is found in listing.py. Pure."""

from __future__ import annotations

from dataclasses import replace

from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.doctor.examination import Examination, Steps, StoppedError
from airflow_provider_kapture.doctor.failures import failure_finding
from airflow_provider_kapture.doctor.probe import Problem

_SMALLER_LIMITS = (100, 50, 20, 10)


def fit_page_size(exam: Examination, asked: DayRange) -> Steps[None]:
    """Find a `limit` that is accepted, where the connection's is refused and a small one is not."""
    exam.topic = "page size"
    configured = exam.dialect.page_size
    result = yield from exam.ask(asked)
    if result.is_answered:
        return
    if result.problem is Problem.SHAPE:
        raise StoppedError(failure_finding(result), result)
    refused = f"a `limit` of {configured} was refused"
    for size in _SMALLER_LIMITS:
        if size >= configured:
            continue
        smaller = yield from exam.ask(asked, limit=size, is_tentative=True)
        if smaller.keys:
            exam.dialect = replace(exam.dialect, page_size=size)
            exam.note("page cap", str(size), f"{refused}, one of {size} was not", settings={"page_size": size})
            return
