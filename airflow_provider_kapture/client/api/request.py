"""Build queries, HTTP headers and request bodies. No I/O.

Filter values are converted in `filters.py`; responses are parsed in `response.py`. Both transports use this module, so
that they send the same requests.
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

# Orders of any date to request for the control query.
CONTROL_LIMIT = 10
# Enough for a few orders. An account that exceeds it ignores `limit`.
MAX_CONTROL_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """The filters of a pull, without days and page.

    :param date_field: date that the window applies to, a key of ``orders.DATE_FIELDS``
    :param body: filters and the account's own keys, as they are sent; not in ``repr``, because they may identify
        customers
    """

    date_field: str = "create"
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def dates(self) -> orders.DateField:
        """Body keys and response field of the date field."""
        return orders.DATE_FIELDS[self.date_field]


def build_query(
    date_field: str, filters: Mapping[str, Any] | None = None, extra_body: Mapping[str, Any] | None = None
) -> OrderQuery:
    """Return the query for a date field, filters and body keys, checked and converted to the API's format.

    :param date_field: a key of ``orders.DATE_FIELDS``
    :param filters: filter names of the vendor's page to values
    :param extra_body: the account's own body keys
    :raises KaptureSettingsError: an unknown date field or filter (suggests the nearest known one), a key that the pull
        sets itself, or an invalid value
    """
    if date_field not in orders.DATE_FIELDS:
        known = tuple(orders.DATE_FIELDS)
        hint = did_you_mean(str(date_field), known) or f"; it must be one of {', '.join(known)}"
        raise KaptureSettingsError(f"`date_field` is {date_field!r}{hint}")
    dates = orders.DATE_FIELDS[date_field]
    body: dict[str, Any] = {}
    filters, extra_body = ({} if given is None else given for given in (filters, extra_body))
    for what, given in (("filters", filters), ("extra_body", extra_body)):
        if not isinstance(given, Mapping):
            raise KaptureSettingsError(
                f"`{what}` is a {type(given).__name__}: it must be a mapping of names to values. A template renders "
                "to one only with `render_template_as_native_obj=True` on the DAG"
            )
        check_body_keys(f"`{what}`", given)
        for name in given:
            if name in (dates.start_key, dates.end_key):
                raise KaptureSettingsError(f"`{what}` contains {name!r}, which the window sets; remove it")
    for name, value in filters.items():
        if name not in orders.FILTERS:
            raise KaptureSettingsError(f"Unknown filter {name!r}{did_you_mean(str(name), orders.FILTERS)}")
        body[name] = filter_value(name, value)
    body |= extra_body
    try:
        msgspec.json.encode(body)
    except (TypeError, ValueError, RecursionError):
        raise KaptureSettingsError(
            "`filters` or `extra_body` contains a value that cannot be written as JSON; use text, numbers, "
            "lists and objects"
        ) from None
    return OrderQuery(date_field, body)


def request_headers(account: Account) -> dict[str, str]:
    """Return the headers of every request, with those of connection extra ``headers`` merged over them."""
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
    """Return the JSON body of the request for one page of ``days``.

    Source: Pull Order API, "Request Body".

    :param offset: what the account's ``paging`` counts
    :param limit: rows; ``page_size`` if None
    """
    dialect = account.dialect
    last = days.last if dialect.end_date == "inclusive" else days.last + dt.timedelta(days=1)
    dates = {
        query.dates.start_key: written_date(days.first, dialect.date_format),
        query.dates.end_key: written_date(last, dialect.date_format),
    }
    return _encoded_body(dialect, {**default_body(dialect), **query.body, **dates}, offset, limit)


def page_request(
    account: Account, query: OrderQuery, days: DayRange | None, offset: int, limit: int | None = None
) -> tuple[bytes, int | None]:
    """Return the body of the request for one page, and the size limit of its response in bytes.

    :param days: days to request; None for the control query, whose body and limit are its own
    :return: None as the limit stands for that of all responses
    """
    if days is None:
        return control_body(account, offset), min(MAX_CONTROL_BYTES, account.dialect.max_response_bytes)
    return request_body(account, query, days, offset, limit), None


def control_body(account: Account, offset: int) -> bytes:
    """Return the body of the control query: a few orders of any date, with a neutral filter only."""
    body = default_body(account.dialect)
    create = orders.DATE_FIELDS["create"]
    body |= {name: "" for name in (create.start_key, create.end_key) if name in body}
    if not any(body.get(name) for name in orders.FILTERS if name not in ("viewId", "sortParam")):
        name, value = orders.NEUTRAL_FILTER
        body[name] = value
    return _encoded_body(account.dialect, body, offset, CONTROL_LIMIT)


def default_body(dialect: Dialect) -> dict[str, Any]:
    """Return the vendor's example body with connection extra ``default_body`` merged over it; null removes a key.

    Source: Pull Order API, "Request Body".
    """
    merged = {**orders.EXAMPLE_BODY, **dialect.default_body}
    return {name: value for name, value in merged.items() if value is not None}


def _encoded_body(dialect: Dialect, body: Mapping[str, Any], offset: int, limit: int | None) -> bytes:
    page = {"cmId": dialect.cm_id, "limit": str(limit or dialect.page_size), "offset": str(offset)}
    whole = {**body, **page}
    return msgspec.json.encode([whole] if dialect.body_format == "list" else whole)
