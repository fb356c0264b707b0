"""Connection -> account -> client, and little else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from airflow_provider_kapture import connection_form
from airflow_provider_kapture.client import Account, KaptureClient, errors
from airflow_provider_kapture.client.api.request import basic_token, build_query
from airflow_provider_kapture.client.days import DayRange, WindowEdge


def account_from_connection(connection: Any) -> Account:
    """The account that an Airflow connection means: one function, for worker and triggerer.

    :raises KaptureSettingsError: a field that will not do
    """
    try:
        extra = connection.extra_dejson
    except ValueError:
        extra = None
    if not isinstance(extra, Mapping):
        raise errors.KaptureSettingsError("Connection field `extra` must be a JSON object")
    host = connection.host
    if host and connection.schema in {"http", "https"} and "://" not in host:
        host = f"{connection.schema}://{host}"  # how Airflow takes an origin apart that came as a URI
    account = Account.from_connection(host, connection.login, connection.password, extra, connection.port)
    _mask(basic_token(account))
    return account


def _mask(secret: str) -> None:
    """Have Airflow's logs hide a secret that it can't know of."""
    from airflow.providers.common.compat.sdk import mask_secret

    mask_secret(secret)


class KaptureHook(BaseHook):
    """Orders of one Kapture account, through an Airflow connection. Works outside a task.

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
        """The fields of the connection form, for Airflow before 3.2; later ones read the provider's own data."""
        return connection_form.get_connection_form_widgets()

    @staticmethod
    def get_ui_field_behaviour() -> dict[str, Any]:
        """Labels and placeholders of the connection form, for Airflow before 3.2."""
        return connection_form.get_ui_field_behaviour()

    def get_account(self) -> Account:
        """The account that the connection means.

        :raises KaptureSettingsError: a field that will not do
        """
        return account_from_connection(self.get_connection(self.kapture_conn_id))

    def get_conn(self) -> KaptureClient:
        """A client of the account: a context manager with one pooled session."""
        return KaptureClient(self.get_account())

    def iter_orders(
        self,
        window_start: WindowEdge,
        window_end: WindowEdge,
        *,
        date_field: str = "create",
        filters: Mapping[str, Any] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Orders of the half-open window, each once, as dicts, in a stable order; a few pages are held at a time.

        :raises KaptureError: the pull is not complete
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
        """How many orders the window has; reading stops once ``at_least`` are seen.

        :raises KaptureError: the pull is not complete
        """
        with self.get_conn() as client:
            return client.count_orders(
                window_start, window_end, date_field=date_field, filters=filters, at_least=at_least
            )

    def test_connection(self) -> tuple[bool, str]:
        """Pull at most one order of today; whether it went well, and in words what went wrong."""
        try:
            with self.get_conn() as client:
                today = dt.datetime.now(client.account.zone).date()
                client.fetch(build_query("create"), DayRange(today, today), 0, limit=1)
                return True, f"Kapture at {client.account.host} answered a pull of today's orders"
        except errors.KaptureError as error:
            return False, str(error)
        except AirflowNotFoundException:
            return False, missing_connection(self.kapture_conn_id)
        except Exception as error:  # noqa: BLE001 - whoever presses a button wants to read why, not to see it break
            # The kind alone: what else it says may hold the connection.
            return False, f"The connection {self.kapture_conn_id!r} can't be tested: {type(error).__name__}"


def missing_connection(kapture_conn_id: str) -> str:
    """Return the message for a connection that Airflow does not have."""
    return f"There is no connection {kapture_conn_id!r} that Airflow can read: create it, or correct `kapture_conn_id`"


async def async_account(kapture_conn_id: str) -> Account:
    """The account that a connection means, for a trigger.

    :raises KaptureSettingsError: a field that will not do
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from asgiref.sync import sync_to_async

    connection = await get_async_connection(kapture_conn_id)
    # In a thread: what is secret in it is told to Airflow by calls that block, and would deadlock on the event loop.
    return await sync_to_async(account_from_connection, thread_sensitive=False)(connection)
