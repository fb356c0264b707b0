import pytest

from airflow_provider_kapture.client.pull.stats import PullStats
from airflow_provider_kapture.operators.progress import ProgressLine, empty_window, summary


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_at_most_every_thirty_seconds() -> None:
    clock, stats = Clock(), PullStats()
    progress = ProgressLine(stats, 31, clock)
    lines = []
    for second in range(0, 120, 7):
        clock.now = 100.0 + second
        lines.append((second, progress.line() is not None))
    assert [second for second, has_line in lines if has_line] == [35, 70, 105]


@pytest.mark.parametrize(
    ("days", "resumed_days", "total", "seconds", "done", "left"),
    [
        (0, 0, 31, 30, "0 of 31 days", ""),
        (2, 0, 31, 30, "2 of 31 days", ", about 7 min left"),
        (30, 0, 31, 60, "30 of 31 days", ", about 2 s left"),
        (2, 0, 365, 60, "2 of 365 days", ", about 3.0 h left"),
        # Days of an earlier attempt tell nothing of the pace of this one.
        (20, 20, 31, 30, "20 of 31 days", ""),
        (21, 20, 31, 30, "21 of 31 days", ", about 5 min left"),
        (0, 0, 1, 30, "0 of 1 day", ""),
        (31, 0, 31, 30, "31 of 31 days", ""),
        # A zone whose clocks went back over midnight is asked for one date more than it has days.
        (32, 0, 31, 30, "31 of 31 days", ""),
    ],
)
def test_a_line_has_the_days_done_and_the_time_left(
    *, days: int, resumed_days: int, total: int, seconds: float, done: str, left: str
) -> None:
    clock, stats = Clock(), PullStats()
    progress = ProgressLine(stats, total, clock)
    stats.days, stats.resumed_days, stats.rows, stats.resumed, stats.requests = days, resumed_days, 1_500, 900, 12
    clock.now += seconds
    assert progress.line() == f"1,500 orders, {done} done, 12 requests, {600 / seconds:.0f} orders/s{left}"


def test_the_summary_is_of_the_receipt() -> None:
    receipt = {"rows": 1_500, "duration_seconds": 2.04, "requests": 12, "retries": 1, "restarts": 0, "files": []}
    pulled = "Pulled 1,500 orders in 2.0 s: 12 requests, 1 retry, 0 restarts; "
    assert summary(receipt, None) == pulled + "returned in XCom"
    assert summary(receipt, "/data/") == pulled + "nothing was written to /data/"
    files = [{"rows": 9, "bytes": 1_000, "changed": True}, {"rows": 0, "bytes": 500, "changed": False}]
    assert summary(receipt | {"files": files}, "s3://aws@lake/orders/") == (
        pulled + "2 files (1 empty, 1 unchanged), 1,500 bytes in s3://aws@lake/orders/"
    )
    assert summary(receipt | {"rows": 1, "requests": 1, "files": files[:1]}, "/data/a.csv") == (
        "Pulled 1 order in 2.0 s: 1 request, 1 retry, 0 restarts; 1 file, 1,000 bytes in /data/a.csv"
    )


@pytest.mark.parametrize(
    ("files", "on_empty", "written"),
    [
        ([], "skip", "wrote no file, because `on_empty` is 'skip'"),
        (["/a.csv"], "write", "wrote the empty file /a.csv, because `on_empty` is 'write'"),
        (
            ["/1.csv", "/2.csv", "/3.csv"],
            "write",
            "wrote the empty file /1.csv and 2 more, because `on_empty` is 'write'",
        ),
    ],
)
def test_an_empty_window_is_called_empty_with_what_was_written_and_why(
    files: list[str], on_empty: str, written: str
) -> None:
    receipt = {"empty_proof": "control_day", "files": [{"uri": each, "rows": 0} for each in files]}
    line = "The window has no orders, which is proven by orders of another day; "
    assert empty_window(receipt, on_empty, is_xcom=False) == line + written
    assert empty_window(receipt | {"empty_proof": "none"}, on_empty, is_xcom=True) == (
        line.replace("proven", "not proven") + "returned an empty list in XCom"
    )
