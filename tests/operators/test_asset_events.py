import datetime as dt
import json
import sys
from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import airflow
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, Asset, AssetAlias
from attempts import attempt
from connected import connected
from mutations import update

from airflow_provider_kapture.client.days import Window, make_window
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.emulator import Emulator
from airflow_provider_kapture.operators.asset_events import (
    attach_receipt_to_outlets,
    check_partition_events,
    extra_by_day,
    has_events_by_day,
    plain_extra,
)
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator
from airflow_provider_kapture.storage.checkpoint import Checkpoint
from airflow_provider_kapture.storage.destinations.stores.local import LocalStore
from airflow_provider_kapture.storage.receipt import changed_days

INDIA = ZoneInfo("Asia/Kolkata")
HOUR = make_window("2024-05-08T10:00", "2024-05-08T11:00", INDIA)
DAY = make_window("2024-05-08", "2024-05-09", INDIA)
MONTH = make_window("2024-05-01", "2024-06-01", INDIA)
FOLDER = "/lake/orders/"
FILE = "/lake/orders.jsonl"
OUTLET = Asset("kapture_orders")
DAYS = ["2024-05-08", "2024-05-09", "2024-05-10"]


def partition(key: str | None) -> dict[str, Any]:
    """The context of a run: of a partition on Airflow 3.2, where only the DAG run has the key."""
    return {"dag_run": SimpleNamespace(partition_key=key)}


@pytest.mark.parametrize(
    ("version", "key", "message"),
    [
        ("2.11.2", None, r"needs Airflow 3\.2 or later, but this is 2\.11\.2"),
        ("3.0.6", None, r"needs Airflow 3\.2 or later"),
        ("3.1.8", None, r"needs Airflow 3\.2 or later"),
        ("3.2.2", None, r"needs Airflow 3\.3 or later in a run without a partition, but this is 3\.2\.2"),
        ("3.2.0rc1", None, r"needs Airflow 3\.3 or later"),
        ("3.2.2", "2024-05-08", None),
        ("3.3.2", None, None),
        ("3.3.2", "2024-05-08", None),
        ("3.10.0", None, None),
        ("4.0.0.dev0", None, None),
    ],
)
def test_events_by_day_that_this_airflow_cannot_fire_are_an_error(
    monkeypatch: pytest.MonkeyPatch, version: str, key: str | None, message: str | None
) -> None:
    monkeypatch.setattr(airflow, "__version__", version)
    check_partition_events(partition(key), MONTH, FOLDER, False)
    if message is None:
        check_partition_events(partition(key), MONTH, FOLDER, True)
        return
    with pytest.raises(KaptureSettingsError, match=message):
        check_partition_events(partition(key), MONTH, FOLDER, True)


def test_one_file_of_several_days_cannot_have_events_by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(airflow, "__version__", "3.3.2")
    with pytest.raises(KaptureSettingsError, match="one file for several days"):
        check_partition_events({}, MONTH, FILE, True)
    for window, destination in ((MONTH, FOLDER), (MONTH, None), (DAY, FILE), (HOUR, FILE)):
        check_partition_events({}, window, destination, True)


@pytest.mark.parametrize(
    ("key", "window", "destination", "requested", "by_day"),
    [
        (None, MONTH, FOLDER, False, False),
        (None, MONTH, FOLDER, True, True),
        ("2024-05-08", DAY, FOLDER, False, True),
        ("2024-05-08T00:00:00", DAY, FOLDER, False, True),
        ("2024-05-08", DAY, FILE, False, True),
        ("2024-05-08", HOUR, FILE, False, True),
        ("2024-05-08", DAY, None, False, True),
        ("2024-05-08", MONTH, FOLDER, False, True),
        ("2024-05-08", MONTH, FILE, False, False),
        ("2024-05-08", MONTH, FILE, True, False),
        ("emea", DAY, FOLDER, False, False),
        ("emea", DAY, FOLDER, True, False),
    ],
)
def test_which_pulls_have_events_by_day(
    key: str | None, window: Window, destination: str | None, requested: bool, by_day: bool
) -> None:
    assert has_events_by_day(partition(key), window, destination, requested) is by_day
    assert has_events_by_day({"partition_key": key}, window, destination, requested) is by_day


def file(start: str, end: str) -> dict[str, Any]:
    return {"uri": f"/lake/{start}.jsonl", "rows": 1, "changed": True, "window_start": start, "window_end": end}


def receipt(*files: dict[str, Any], window: Window = MONTH) -> dict[str, Any]:
    about = {"account": "acme.kapturecrm.com", "window_start": "", "window_end": "", "date_field": "create"}
    more = {"receipt_uri": f"{FOLDER}_receipts/create_date/1.json", "pulled_at": "", "complete": True, "requests": 7}
    return {**about, **more, "rows": 3, "changed_days": changed_days(files, window), "files": list(files)}


# The clocks of Cairo skipped the midnight before 26 April.
SKIPPED = make_window("2024-04-26", "2024-04-27", ZoneInfo("Africa/Cairo"))
MIDNIGHT = file("2024-05-08T00:00:00+05:30", "2024-05-09T00:00:00+05:30")


@pytest.mark.parametrize(
    ("window", "files", "days"),
    [
        (DAY, [MIDNIGHT], {"2024-05-08": MIDNIGHT}),
        (HOUR, [MIDNIGHT], {"2024-05-08": MIDNIGHT}),
        (
            DAY,
            [back := file("2024-05-07T00:00:00+05:30", "2024-05-08T00:00:00+05:30"), MIDNIGHT],
            {"2024-05-07": back, "2024-05-08": MIDNIGHT},
        ),
        (DAY, [back, {**MIDNIGHT, "changed": False}], {"2024-05-07": back}),
        (
            SKIPPED,
            [skipped := file("2024-04-26T01:00:00+03:00", "2024-04-27T00:00:00+03:00")],
            {"2024-04-26": skipped},
        ),
    ],
)
def test_each_changed_day_has_its_file(window: Window, files: list[dict[str, Any]], days: dict[str, Any]) -> None:
    whole = receipt(*files, window=window)
    extra = extra_by_day(whole, window)
    assert whole["changed_days"] == list(days)
    assert extra == {**{name: value for name, value in whole.items() if name != "files"}, "files_by_day": days}


def test_without_a_changed_day_there_are_no_files() -> None:
    extra = extra_by_day(receipt({**MIDNIGHT, "changed": False}), DAY)
    assert extra["changed_days"] == []
    assert not {"files", "files_by_day"} & extra.keys()


def month_of(count: int) -> dict[str, Any]:
    start = dt.datetime(2024, 1, 1, tzinfo=INDIA)
    midnights = [(start + dt.timedelta(days=day)).isoformat() for day in range(count + 1)]
    return receipt(*(file(first, end) for first, end in pairwise(midnights)))


@pytest.mark.parametrize(("count", "is_in_detail"), [(16, True), (17, False)])
def test_beyond_sixteen_days_the_extra_is_a_summary(count: int, is_in_detail: bool) -> None:
    whole = month_of(count)
    extra = extra_by_day(whole, MONTH)
    assert ("files_by_day" in extra, "requests" in extra) == (is_in_detail, is_in_detail)
    assert "files" not in extra
    assert extra["receipt_uri"] == whole["receipt_uri"]
    assert ("files" in plain_extra(whole)) is is_in_detail
    assert plain_extra(whole)["receipt_uri"] == whole["receipt_uri"]


class Events:
    """The outlets' events, as Airflow before 3.3 has them."""

    def __init__(self) -> None:
        self.known: dict[str, SimpleNamespace] = {}

    def __getitem__(self, outlet: Any) -> SimpleNamespace:
        return self.known.setdefault(outlet.uri, SimpleNamespace(extra=None))


@pytest.mark.parametrize("days", [[], DAYS])
def test_each_outlet_has_the_receipt(days: list[str]) -> None:
    events = Events()
    attach_receipt_to_outlets({"outlet_events": events}, [OUTLET, AssetAlias("any"), object()], receipt(), days)
    assert [event.extra for event in events.known.values()] == [receipt()]


def test_outside_a_run_there_are_no_events() -> None:
    attach_receipt_to_outlets({}, [OUTLET], receipt(), DAYS)


@pytest.fixture
def accessors() -> Any:
    """The outlets' events of this Airflow, where an event may have partition keys."""
    found = pytest.importorskip("airflow.sdk.execution_time.context", reason="Airflow 3").OutletEventAccessors()
    if not hasattr(found[Asset("any")], "add_partitions"):
        pytest.skip("Airflow before 3.3")
    return found


@pytest.fixture
def kapture(monkeypatch: pytest.MonkeyPatch):
    with connected(monkeypatch, 60) as running:
        yield running


def pull(**arguments: Any) -> KapturePullOrdersOperator:
    edges = {"window_start": "2024-05-08", "window_end": "2024-05-11"}
    return KapturePullOrdersOperator(task_id="pull", outlets=[OUTLET], **(edges | arguments))


@pytest.mark.usefixtures("kapture")
@pytest.mark.parametrize(
    ("run", "arguments", "days"),
    [
        ({}, {}, []),
        ({}, {"partition_events": True}, DAYS),
        (partition("2024-05-08"), {}, DAYS),
        ({"partition_key": "2024-05-08"}, {}, DAYS),
        ({"partition_key": "2024-05-10"}, {"window_start": "2024-05-10", "lookback": 2}, DAYS),
        ({"partition_key": "emea"}, {}, []),
        ({"partition_key": "emea"}, {"partition_events": True}, []),
    ],
)
def test_a_pull_has_one_event_or_one_for_each_day(
    tmp_path, accessors: Any, run: dict[str, Any], arguments: dict[str, Any], days
) -> None:
    returned = pull(destination=f"{tmp_path}/", **arguments).execute({"outlet_events": accessors, **run})
    event = accessors[OUTLET]
    assert event.partition_keys == set(days)
    by_day = {each["window_start"][:10]: each for each in returned["files"]}
    assert list(by_day) == DAYS
    without_files = {name: value for name, value in returned.items() if name != "files"}
    assert event.extra == (returned if not days else {**without_files, "files_by_day": by_day})
    assert returned["changed_days"] == DAYS
    json.dumps(event.extra)


def test_days_whose_orders_are_the_same_have_no_event(kapture: Emulator, tmp_path, accessors: Any) -> None:
    def pulled() -> Any:
        event = accessors[OUTLET]
        event.partition_keys.clear()
        pull(destination=f"{tmp_path}/", partition_events=True).execute({"outlet_events": accessors})
        return event

    assert pulled().partition_keys == set(DAYS)
    event = pulled()
    assert event.partition_keys == set()
    assert event.extra["changed_days"] == []
    assert not {"files", "files_by_day"} & event.extra.keys()
    update(kapture, kapture.ids()[-1])
    assert pulled().partition_keys == {DAYS[-1]}


@pytest.mark.usefixtures("kapture")
@pytest.mark.parametrize("run_id", ["run", "other"])
def test_days_that_a_killed_pull_has_published_have_events_in_the_next_one(
    tmp_path, accessors: Any, monkeypatch: pytest.MonkeyPatch, run_id: str
) -> None:
    class KilledError(BaseException):
        pass

    upload, published = LocalStore.upload, []

    def upload_two(self: LocalStore, spool: Any, size: int, name: str, *others: Any) -> Any:
        if len(published) == 2:
            raise KilledError
        if name.startswith("create_date="):
            published.append(name)
        return upload(self, spool, size, name, *others)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "upload", upload_two)
        patch.setattr(Checkpoint, "stop", lambda self: None)
        with pytest.raises(KilledError):
            pull(destination=f"{tmp_path}/", partition_events=True).execute(attempt())
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("orders_*")}
    assert len(times) == 2
    run = attempt(run_id=run_id)
    pull(destination=f"{tmp_path}/", partition_events=True).execute({**run, "outlet_events": accessors})
    assert accessors[OUTLET].partition_keys == set(DAYS)
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.mark.usefixtures("kapture")
@pytest.mark.parametrize("days", [7, 31, *(pytest.param(each, marks=pytest.mark.slow) for each in (90, 180, 365))])
def test_the_events_of_a_year_are_small(tmp_path, accessors: Any, days: int) -> None:
    end = dt.date(2024, 5, 11)
    edges = {"window_start": str(end - dt.timedelta(days=days)), "window_end": str(end)}
    pull(destination=f"{tmp_path}/", partition_events=True, **edges).execute({"outlet_events": accessors})
    event = accessors[OUTLET]
    assert len(event.partition_keys) == days
    size = days * len(json.dumps(event.extra))
    sys.stdout.write(f"{days} days: {size:,} bytes\n")
    assert size <= 300_000


def test_what_airflow_cannot_fire_fails_for_good_before_the_first_request(
    kapture: Emulator, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(airflow, "__version__", "3.2.2")
    with pytest.raises(AirflowFailException, match=r"`partition_events` needs Airflow 3\.3"):
        pull(destination=f"{tmp_path}/orders/", partition_events=True).execute({})
    assert kapture.stats()["requests"] == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("kapture")
def test_an_hour_has_the_event_of_its_day(tmp_path, accessors: Any) -> None:
    noon = dt.datetime(2024, 5, 9, 12, tzinfo=INDIA)
    edges = {"window_start": noon, "window_end": noon + dt.timedelta(hours=1)}
    pull(destination=f"{tmp_path}/", partition_events=True, **edges).execute({"outlet_events": accessors})
    assert accessors[OUTLET].partition_keys == {"2024-05-09"}
