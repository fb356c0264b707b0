import datetime as dt
import sys
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.providers.common.compat.sdk import Asset, AssetAlias
from openlineage.client.generated.base import Dataset, OutputDataset
from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet

from airflow_provider_kapture.client.days import make_window
from airflow_provider_kapture.lineage import account_days, openlineage, tell_hook_lineage, tell_outlets


def file(uri: str, **more: Any) -> dict[str, Any]:
    return {"uri": uri, "rows": 3, "bytes": 700, "window_start": "2024-05-08T00:00:00+05:30", **more}


def receipt(*uris: str) -> dict[str, Any]:
    return {"account": "acme.kapturecrm.com", "rows": 3, "files": [file(uri) for uri in uris]}


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("file:///lake/day 1/orders#1.jsonl", "file", "/lake/day 1/orders#1.jsonl"),
        ("/lake/orders.jsonl", "file", "/lake/orders.jsonl"),
        ("s3://aws_default@lake/crm/orders.parquet", "s3://lake", "crm/orders.parquet"),
        ("gs://lake/crm/orders.parquet", "gs://lake", "crm/orders.parquet"),
    ],
)
def test_openlineage_names_the_account_and_the_files(uri: str, namespace: str, name: str) -> None:
    lineage = openlineage(receipt(uri))
    assert lineage.inputs == [Dataset("kapture://acme.kapturecrm.com", "orders")]
    [output] = lineage.outputs
    assert isinstance(output, OutputDataset)
    assert (output.namespace, output.name) == (namespace, name)
    assert output.outputFacets == {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=3, size=700)}


def test_lineage_that_fails_is_no_failure_of_the_pull(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.common.compat.sdk import HookLineageCollector

    module = sys.modules[HookLineageCollector.__module__]
    monkeypatch.setattr(module, "get_hook_lineage_collector", HookLineageCollector)
    tell_hook_lineage(object(), receipt("/озеро/orders.jsonl"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of providers' hooks, all of which Airflow 2 imports here
def test_every_airflow_collects_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a reader of hook lineage registered, as a plugin would."""
    from airflow.providers.common.compat.sdk import HookLineageCollector

    module = sys.modules[HookLineageCollector.__module__]
    collector = HookLineageCollector()
    monkeypatch.setattr(module, "get_hook_lineage_collector", lambda: collector)
    tell_hook_lineage(collector, receipt("/lake/orders.jsonl", "s3://aws_default@lake/orders.jsonl"))
    adapted = get_hook_lineage_collector().collected_assets
    assert [each.asset.uri for each in adapted.inputs] == ["kapture://acme.kapturecrm.com/orders"]
    assert [each.asset.uri for each in adapted.outputs] == ["file:///lake/orders.jsonl", "s3://lake/orders.jsonl"]


class Events:
    """The outlets' events, as Airflow before 3.3 has them."""

    def __init__(self) -> None:
        self.known: dict[str, SimpleNamespace] = {}

    def __getitem__(self, outlet: Any) -> SimpleNamespace:
        return self.known.setdefault(outlet.uri, SimpleNamespace(extra=None))


@pytest.fixture
def outlet() -> Asset:
    return Asset("kapture_orders")


def test_each_outlet_has_the_receipt(outlet: Asset) -> None:
    events = Events()
    outlets = [outlet, AssetAlias("any"), object()]
    tell_outlets({"outlet_events": events}, outlets, receipt("/lake/a.jsonl"), ["2024-05-08"])
    assert [event.extra for event in events.known.values()] == [receipt("/lake/a.jsonl")]


def test_outside_a_run_there_is_nobody_to_tell(outlet: Asset) -> None:
    tell_outlets({}, [outlet], receipt("/lake/a.jsonl"), ["2024-05-08"])


@pytest.mark.parametrize(("context", "unpartitioned"), [({}, {None}), ({"partition_key": "2024-05-08"}, set())])
def test_partitions_are_days_and_plain_consumers_have_an_event_too(
    outlet: Asset, context: dict[str, Any], unpartitioned: set[None]
) -> None:
    accessors = pytest.importorskip("airflow.sdk.execution_time.context", reason="Airflow 3").OutletEventAccessors()
    if not hasattr(accessors[outlet], "add_partitions"):
        pytest.skip("this Airflow has no partitions of outlet events")
    tell_outlets({"outlet_events": accessors, **context}, [outlet], receipt(), ["2024-05-08", "2024-05-09"])
    assert accessors[outlet].partition_keys == {"2024-05-08", "2024-05-09"} | unpartitioned


def test_days_are_the_windows_and_those_looked_back_on() -> None:
    # The clocks of Cairo skipped the midnight before 26 April.
    zone = ZoneInfo("Africa/Cairo")
    window = make_window(dt.date(2024, 4, 25), dt.date(2024, 4, 26), zone)
    assert account_days(window, []) == ["2024-04-25"]
    before = file("/lake/a.jsonl", window_start="2024-04-24T00:00:00+02:00")
    assert account_days(window, [before]) == ["2024-04-24", "2024-04-25"]
    hour = make_window("2024-04-26T01:00", "2024-04-26T02:00", zone)
    assert account_days(hour, []) == ["2024-04-26"]
