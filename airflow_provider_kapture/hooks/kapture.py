"""The hook: reads an Airflow connection, and returns the account and a client of it.

How a connection's fields are parsed is in ``client.config``; the fields of its form are in ``connection_form``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook, mask_secret

from airflow_provider_kapture import connection_form
from airflow_provider_kapture.client import Account, KaptureClient, errors
from airflow_provider_kapture.client.api.failures import is_unsupported_query
from airflow_provider_kapture.client.api.request import CONTROL_LIMIT, OrderQuery
from airflow_provider_kapture.client.days import DayRange, WindowEdge, from_ms


def account_from_connection(connection: Any) -> Account:
    """Return the account of an Airflow connection; used by worker and triggerer alike.

    Registers the Basic credentials with Airflow's masking of logs.

    :param connection: an Airflow connection, of any version's class
    :raises KaptureSettingsError: a field is missing or invalid
    """
    try:
        extra = connection.extra_dejson
    except ValueError:
        extra = None
    if not isinstance(extra, Mapping):
        raise errors.KaptureSettingsError("Connection field `extra` must be a JSON object")
    host = connection.host
    if host and connection.schema in {"http", "https"} and "://" not in host:
        host = f"{connection.schema}://{host}"  # Airflow splits the origin of a connection that is given as a URI
    account = Account.from_connection(host, connection.login, connection.password, extra, connection.port)
    _mask(account.secrets)
    return account


def _mask(secrets: Sequence[str]) -> None:
    """Register secrets that Airflow does not know of with its masking of logs."""
    for each in secrets:
        mask_secret(each)


class KaptureHook(BaseHook):
    """Reads the orders of one Kapture account through an Airflow connection. Works outside a task, too.

    Source: Pull Order API.

    :param kapture_conn_id: the connection's id
    """

    conn_name_attr = "kapture_conn_id"
    default_conn_name = "kapture_default"
    conn_type = "kapture"
    hook_name = "Kapture CRM"

    def __init__(self, kapture_conn_id: str = default_conn_name, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kapture_conn_id = kapture_conn_id

    @staticmethod
    def get_connection_form_widgets() -> dict[str, Any]:
        """Return the fields of the connection form for Airflow before 3.2; later versions read the provider's data."""
        return connection_form.get_connection_form_widgets()

    @staticmethod
    def get_ui_field_behaviour() -> dict[str, Any]:
        """Return labels and placeholders of the connection form for Airflow before 3.2."""
        return connection_form.get_ui_field_behaviour()

    def get_account(self) -> Account:
        """Return the account of the connection.

        :raises KaptureSettingsError: a field is missing or invalid
        :raises AirflowNotFoundException: Airflow has no such connection
        """
        return account_from_connection(self.get_connection(self.kapture_conn_id))

    def get_conn(self) -> KaptureClient:
        """Return a client of the account: a context manager with one pooled HTTP session.

        :raises KaptureSettingsError: a field of the connection is missing or invalid
        """
        return KaptureClient(self.get_account())

    def iter_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the orders of ``[window_start, window_end)``, each once, in a stable order.

        Only a few pages are held in memory at a time.

        :param window_start: first instant; a value without an offset is in the account's time zone
        :param window_end: first instant after the window; likewise
        :param date_field: the time of an order that the window selects by
        :param filters: documented filter names to a string, a number or a list of them
        :returns: orders as dicts with Kapture's field names; timestamps are epoch milliseconds
        :raises KaptureError: the pull could not be completed; orders may have been yielded before
        """
        with self.get_conn() as client:
            yield from client.iter_orders(window_start, window_end, date_field=date_field, filters=filters)

    def count_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
        at_least: int | None = None,
    ) -> int:
        """Return the number of orders in ``[window_start, window_end)``.

        :param window_start: first instant; a value without an offset is in the account's time zone
        :param window_end: first instant after the window; likewise
        :param date_field: the time of an order that the window selects by
        :param filters: documented filter names to a string, a number or a list of them
        :param at_least: stop reading once this many orders were seen; the result is then at least this number
        :raises KaptureError: the pull could not be completed
        """
        with self.get_conn() as client:
            return client.count_orders(
                window_start, window_end, date_field=date_field, filters=filters, at_least=at_least
            )

    def test_connection(self) -> tuple[bool, str]:
        """Request at most ten orders of any date; return whether that worked, and what was found or went wrong."""
        try:
            with self.get_conn() as client:
                found = _test(client)
                # Airflow's form tests a copy of the connection under a random id.
                return True, f"{_logged_in(client.account)}; Kapture {found}; {_NEXT}"
        except errors.KaptureError as error:
            return False, str(error)
        except AirflowNotFoundException:
            return False, missing_connection(self.kapture_conn_id)
        except Exception as error:  # noqa: BLE001 - the user needs a message, not a traceback
            # Only the error's class: its text may contain the connection's secrets.
            return False, f"The connection {self.kapture_conn_id!r} cannot be tested: {type(error).__name__}"


_NEXT = "to check dates and paging: kapture doctor CONN_ID"
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def _logged_in(account: Account) -> str:
    credentials = account.credentials
    return (
        f"Logged in as {credentials.login}" if credentials.auth == "basic" else f"Logged in with a {credentials.auth}"
    )


def _test(client: KaptureClient) -> str:
    """Return the result of the control query, a few orders of any date, for the Test button.

    :raises KaptureError: Kapture cannot be reached, or does not accept the request
    """
    account = client.account
    base = account.dialect.first_offset
    try:
        page = client.fetch(OrderQuery(), None, base, is_control=True)
    except errors.KaptureOversizeError:
        return "sent more than a few orders: it may ignore `limit`, see `paging`"
    except errors.KaptureError as error:
        if not is_unsupported_query(error):
            raise
        page = None
    if (page is None or not page.keys) and not base and _has_orders_at_1(client):
        return "listed orders from offset 1 on: set `paging` to 'pages_from_1'"
    if page is None:
        # The account may require dates: request one order of today.
        today = dt.datetime.now(account.zone).date()
        client.fetch(OrderQuery(), DayRange(today, today), base, limit=1)
        return "answered a request for today's orders"
    if len(page.keys) > CONTROL_LIMIT:
        return f"sent {len(page.keys)} orders instead of {CONTROL_LIMIT}: it ignores `limit`, see `paging`"
    latest = max((each for each in page.instants if each is not None), default=None)
    if latest is None:
        return "listed orders whose `createDate` is not epoch milliseconds" if page.keys else "listed no order"
    return f"listed an order created {_age(from_ms(latest, account.zone))}"


def _age(instant: dt.datetime) -> str:
    """Return how long ago an instant was; the instant itself if it is not past."""
    seconds = (dt.datetime.now(dt.UTC) - instant).total_seconds()
    if seconds < 0:
        return f"at {instant.isoformat(timespec='minutes')}, which is in the future: see `timezone`"
    unit, size = next((each for each in _UNITS if seconds >= each[1]), ("second", 1))
    number = int(seconds // size)
    return f"{number:,} {unit}{'' if number == 1 else 's'} ago"


def _has_orders_at_1(client: KaptureClient) -> bool:
    """Return whether the account counts pages from 1, so that its first page is not at offset 0."""
    try:
        return bool(client.fetch(OrderQuery(), None, 1, is_control=True).keys)
    except errors.KaptureError:
        return False


def missing_connection(kapture_conn_id: str) -> str:
    """Return the message for a connection that Airflow does not have."""
    return f"Airflow has no connection {kapture_conn_id!r}: create it, or correct `kapture_conn_id`"


async def async_account(kapture_conn_id: str) -> Account:
    """Return the account of a connection, without blocking the event loop.

    :raises KaptureSettingsError: a field is missing or invalid
    :raises AirflowNotFoundException: Airflow has no such connection
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from asgiref.sync import sync_to_async

    connection = await get_async_connection(kapture_conn_id)
    # In a thread: registering secrets with Airflow's masking is a blocking call, and deadlocks on the event loop.
    return await sync_to_async(account_from_connection, thread_sensitive=False)(connection)
