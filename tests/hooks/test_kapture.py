import json
from itertools import pairwise

import pytest
from connected import connected

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.emulator import Emulator
from airflow_provider_kapture.hooks.kapture import KaptureHook


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with connected(monkeypatch, 300) as running:
        yield running


def test_orders_come_as_dicts_each_once(kapture: Emulator) -> None:
    found = list(KaptureHook().iter_orders("2024-05-08", "2024-05-11"))
    assert sorted(order["id"] for order in found) == sorted(kapture.ids())


def test_adjacent_windows_partition_the_orders(kapture: Emulator) -> None:
    edges = ["2024-05-08", "2024-05-08T13:07:00.123+05:30", "2024-05-09", "2024-05-10T23:59:59.999", "2024-05-11"]
    found = [order["id"] for pair in pairwise(edges) for order in KaptureHook().iter_orders(*pair)]
    assert sorted(found) == sorted(kapture.ids())


def test_counting_stops_once_enough_are_seen(kapture: Emulator) -> None:
    assert KaptureHook().count_orders("2024-05-08", "2024-05-11") == 300
    kapture.reset()
    assert KaptureHook().count_orders("2024-05-08", "2024-05-11", at_least=1) >= 1
    assert kapture.stats()["requests"] == 1


def test_the_connection_test_tells_the_truth(kapture: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KaptureHook().test_connection()[0]
    wrong = json.loads(kapture.connection_json()) | {"password": "not-the-password"}
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(wrong))
    worked, message = KaptureHook().test_connection()
    assert not worked
    assert "credentials" in message
    assert "not-the-password" not in message


@pytest.mark.parametrize("host", ["", "acme.kapturecrm.com/x", "a b", "user@host", "http://acme.kapturecrm.com"])
def test_a_wrong_host_is_an_error_before_any_request(
    kapture: Emulator, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_KAPTURE_DEFAULT", json.dumps(json.loads(kapture.connection_json()) | {"host": host})
    )
    with pytest.raises(KaptureSettingsError, match="host"):
        KaptureHook().get_conn()
    assert kapture.stats()["requests"] == 0


def test_a_connection_uri_may_have_an_ipv6_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_KAPTURE_DEFAULT", "kapture://u:p@[::1]:8443/?cm_id=1")
    assert KaptureHook().get_account().origin == "https://[::1]:8443"
