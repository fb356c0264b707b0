"""Prove that windows without orders are empty, and that the account does not misread the requests. No I/O.

Which responses mean "no orders" is decided in `../api/empties.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.request import CONTROL_LIMIT, OrderQuery
from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.days import DayRange, Window, from_ms
from airflow_provider_kapture.client.errors import (
    KaptureAuthError,
    KaptureDialectError,
    KaptureError,
    KaptureRefusedError,
    KaptureTransportError,
)
from airflow_provider_kapture.client.pagination import messages
from airflow_provider_kapture.client.pagination.messages import listing_error
from airflow_provider_kapture.client.pagination.requests import Paging
from airflow_provider_kapture.client.pull.date_checks import check_instants
from airflow_provider_kapture.client.pull.steps import CheckPage, Fetched, PullStep, fetch_step

PROVEN, NOT_PROVEN = "control_day", "none"
NO_CONTROL_ORDER = (
    "The window has no orders, and no order of another day was found to prove that Kapture understands the request; "
    "set `control_day` in the connection extra to a past day that has orders"
)


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of the control requests.

    :ivar kind: ``control_day``, or ``none`` if no control order was found
    :ivar contradicts: whether the window has orders after all and must be read again
    :ivar warning: a warning that a person should read, or None
    """

    kind: str
    contradicts: bool = False
    warning: str | None = None


def prove_empty(
    account: Account, query: OrderQuery, windows: Sequence[Window], *, is_limit_ignored: bool = False
) -> Generator[PullStep, Fetched | None, Proof]:
    """Yield the requests that prove windows without orders, at most three; return the result.

    :param is_limit_ignored: whether the pull has seen that the account ignores ``limit``; the control query, which
        would return all orders, is then omitted
    :raises KaptureDialectError: a day that has orders returns none when it is requested like the windows
    :raises KaptureError: a request failed permanently
    """
    day = account.dialect.control_day
    page = None
    if day is not None:
        page = yield from _day_page(account, day)
    is_found = page is None or not page.keys
    if is_found and account.dialect.paging != Paging.NONE and not is_limit_ignored:
        day = yield from _find_control_day(account, is_last_request=day is not None)
        if day is not None:
            page = yield from _day_page(account, day)
            if page is not None and not page.keys:
                raise contradiction_error(windows, day)
    # A day such as 5 May, which is the same with day and month swapped, can disprove but not prove.
    if page is None or not page.keys or day is None or (is_found and day.day == day.month):
        return Proof(NOT_PROVEN, warning=NO_CONTROL_ORDER)
    if query.date_field != "create":
        return Proof(NOT_PROVEN)
    is_in_window = any(
        each.start_ms <= instant < each.end_ms for each in windows for instant in page.instants if instant is not None
    )
    return Proof(PROVEN, contradicts=is_in_window and not query.body)


def contradiction_error(windows: Sequence[Window], day: dt.date) -> KaptureDialectError:
    """Return the error for windows whose emptiness is disproved.

    :param day: a day that has orders
    """
    dates = [each for window in (windows[0], windows[-1]) for each in window.dates()]
    return KaptureDialectError(
        f"Kapture returned no orders of {dates[0]} to {dates[-1]}, and none of {day} although one was created then: "
        "`date_format`, `end_date`, `timezone` or `default_body` in the connection extra does not match the account; "
        "run `kapture doctor CONN_ID`",
        path=orders.PATH,
    )


def unsteady_error(windows: Sequence[Window]) -> KaptureDialectError:
    """Return the error for windows that were empty twice although they contain an order."""
    dates = [each for window in (windows[0], windows[-1]) for each in window.dates()]
    return KaptureDialectError(
        f"Kapture twice returned no orders of {dates[0]} to {dates[-1]}, although it returned some of a single day "
        "among them; run `kapture doctor CONN_ID`, and ask Kapture's support",
        path=orders.PATH,
    )


def _day_page(account: Account, day: dt.date) -> Generator[PullStep, Fetched | None, Page | None]:
    """Return the page of a day, requested like the days of the pull but without filters; None if the day is refused.

    An account that only returns the latest days refuses a day that it returned before.
    """
    days = DayRange(day, day)
    fetched = yield from fetch_step(CheckPage(days, account.dialect.first_offset, is_control=True))
    if isinstance(fetched.error, KaptureRefusedError):
        return None
    page = fetched.result()
    check_instants(account, days, page)
    return page


def _find_control_day(
    account: Account, *, is_last_request: bool
) -> Generator[PullStep, Fetched | None, dt.date | None]:
    """Return the day of an order of any date, or None if no order is found."""
    base = account.dialect.first_offset
    fetched = yield from fetch_step(CheckPage(None, base, CONTROL_LIMIT, is_control=True))
    _raise_if_final(fetched.error)
    if fetched.page is not None and fetched.page.keys:
        return control_day_of(fetched.page, account)
    is_answered = fetched.error is None or isinstance(fetched.error, KaptureRefusedError)
    if base == 0 and is_answered and not is_last_request:
        fetched = yield from fetch_step(CheckPage(None, 1, CONTROL_LIMIT, is_control=True))
        _raise_if_final(fetched.error)
        if fetched.page is not None and fetched.page.keys:
            raise listing_error(messages.WRONG_FIRST_PAGE.format(1, Paging.PAGES_FROM_1.value), is_permanent=True)
    return None


def control_day_of(page: Page, account: Account) -> dt.date | None:
    """Return the day of the first order whose day and month differ, so that a swap shows; else of the first order."""
    days = [from_ms(each, account.zone).date() for each in page.instants if each is not None]
    return next((each for each in days if each.day != each.month), days[0] if days else None)


def _raise_if_final(error: KaptureError | None) -> None:
    if isinstance(error, KaptureAuthError):
        raise error
    if isinstance(error, KaptureTransportError) and error.reason == "cancelled":
        raise error
