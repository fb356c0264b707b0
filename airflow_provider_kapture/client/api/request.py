"""Pure: a question to HTTP request, an HTTP answer to a page or to the error that it is.

Both transports go through here, so that they can't differ in what they ask or in what they make of an answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from airflow_provider_kapture import __version__
from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.filters import filter_value
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.config.checks import check_body_keys, did_you_mean
from airflow_provider_kapture.client.config.date_format import written_date
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.days import DayRange
from airflow_provider_kapture.client.errors import KaptureSettingsError

# The orders of any date that show what an account holds.
CONTROL_LIMIT = 10


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """What a pull asks for, but for the days and the page.

    :param date_field: which time of an order the days are about
    :param body: filters and the account's own keys, as they are sent; they may name customers, so ``repr`` leaves
        them out
    """

    date_field: str = "create"
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def dates(self) -> orders.DateField:
        """The body keys and the answer's field of the date field."""
        return orders.DATE_FIELDS[self.date_field]


def build_query(
    date_field: str, filters: Mapping[str, Any] | None = None, extra_body: Mapping[str, Any] | None = None
) -> OrderQuery:
    """Check what is asked for, and write it as the API wants it: strings, and lists with commas.

    :raises KaptureSettingsError: an unknown date field or filter (names the nearest), a filter that the pull sets
        itself, a value that the API would not read as what it is
    """
    if date_field not in orders.DATE_FIELDS:
        known = tuple(orders.DATE_FIELDS)
        hint = did_you_mean(str(date_field), known) or f"; it must be one of {', '.join(known)}"
        raise KaptureSettingsError(f"date_field is {date_field!r}{hint}")
    dates = orders.DATE_FIELDS[date_field]
    body: dict[str, Any] = {}
    filters, extra_body = ({} if given is None else given for given in (filters, extra_body))
    for what, given in (("filters", filters), ("extra_body", extra_body)):
        if not isinstance(given, Mapping):
            raise KaptureSettingsError(
                f"`{what}` is a {type(given).__name__}: it must be a mapping of names to values. A template renders "
                "to one only with `render_template_as_native_obj=True` on the DAG"
            )
        check_body_keys(what, given)
        for name in given:
            if name in (dates.start_key, dates.end_key):
                raise KaptureSettingsError(f"{what} holds {name!r}, which the window sets: leave it out")
    for name, value in filters.items():
        if name not in orders.FILTERS:
            raise KaptureSettingsError(f"Unknown filter {name!r}{did_you_mean(str(name), orders.FILTERS)}")
        body[name] = filter_value(name, value)
    body |= extra_body
    try:
        msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError):
        raise KaptureSettingsError("filters or extra_body hold a value that can't be written as JSON") from None
    return OrderQuery(date_field, body)


def request_headers(account: Account) -> dict[str, str]:
    """Return the headers of every request: ours, and those of connection extra ``headers`` over them."""
    ours = {
        "Authorization": f"Basic {account.credentials.token}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"airflow-provider-kapture/{__version__}",
    }
    replaced = {name.lower() for name in account.headers}
    return {name: value for name, value in ours.items() if name.lower() not in replaced} | dict(account.headers)


def request_body(account: Account, query: OrderQuery, days: DayRange, offset: int, limit: int | None = None) -> bytes:
    """Return the JSON body of the request for one page of the listing of ``days``."""
    dialect = account.dialect
    last = days.last if dialect.end_date == "inclusive" else days.last + dt.timedelta(days=1)
    dates = {
        query.dates.start_key: written_date(days.first, dialect.date_format),
        query.dates.end_key: written_date(last, dialect.date_format),
    }
    return _encoded_body(dialect, {**default_body(dialect), **query.body, **dates}, offset, limit)


def control_body(account: Account, offset: int) -> bytes:
    """Return the body of a request for a few orders of any date: no dates, and no filter but a neutral one."""
    body = default_body(account.dialect)
    create = orders.DATE_FIELDS["create"]
    body |= {name: "" for name in (create.start_key, create.end_key) if name in body}
    if not any(body.get(name) for name in orders.FILTERS if name not in ("viewId", "sortParam")):
        name, value = orders.NEUTRAL_FILTER
        body[name] = value
    return _encoded_body(account.dialect, body, offset, CONTROL_LIMIT)


def default_body(dialect: Dialect) -> dict[str, Any]:
    """Return the page's example body with connection extra ``default_body`` merged over it; null leaves a key out."""
    merged = {**orders.EXAMPLE_BODY, **dialect.default_body}
    return {name: value for name, value in merged.items() if value is not None}


def _encoded_body(dialect: Dialect, body: Mapping[str, Any], offset: int, limit: int | None) -> bytes:
    page = {"cmId": dialect.cm_id, "limit": str(limit or dialect.page_size), "offset": str(offset)}
    whole = {**body, **page}
    return msgspec.json.encode([whole] if dialect.body_format == "list" else whole)
