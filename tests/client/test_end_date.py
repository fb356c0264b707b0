import json

import pytest

from airflow_provider_kapture.client import Account, KaptureClient
from airflow_provider_kapture.client.errors import KaptureDialectError
from airflow_provider_kapture.emulator import Book, Emulator, Switches


def client_of(kapture, **extra):
    connection = json.loads(kapture.connection_json(**extra))
    return KaptureClient(
        Account.of(connection["host"], connection["login"], connection["password"], connection["extra"])
    )


@pytest.mark.parametrize("widest", [1, 2, 3])
@pytest.mark.parametrize("fault", [{}, {"status_every": 2, "status": 429, "retry_after": "0"}])
def test_an_exclusive_end_date_is_noticed_and_named(widest, fault):
    with (
        Emulator(Book(orders=60, days=3), Switches(end_date="exclusive", **fault)) as kapture,
        client_of(kapture, max_days_per_request=widest) as client,
        pytest.raises(KaptureDialectError, match="`end_date`"),
    ):
        list(client.iter_orders("2024-05-08", "2024-05-11"))


def test_an_inclusive_end_date_is_noticed_and_named():
    with (
        Emulator(Book(orders=60, days=3)) as kapture,
        client_of(kapture, end_date="exclusive") as client,
        pytest.raises(KaptureDialectError, match="'inclusive'"),
    ):
        list(client.iter_orders("2024-05-08", "2024-05-09"))


def test_an_empty_day_is_empty_where_a_wider_range_is_refused():
    with Emulator(Book(orders=60, days=3), Switches(max_days=1)) as kapture, client_of(kapture) as client:
        assert list(client.iter_orders("2024-06-08", "2024-06-09")) == []
        assert kapture.stats()["requests"] == 2
