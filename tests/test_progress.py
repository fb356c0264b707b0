from airflow_provider_kapture.client.pull import Tally
from airflow_provider_kapture.progress import ProgressLine, summary


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_at_most_every_ten_seconds() -> None:
    clock, tally = Clock(), Tally()
    progress = ProgressLine(tally, 31, clock)
    told = []
    for second in range(0, 40, 3):
        clock.now = 100.0 + second
        told.append((second, progress.line() is not None))
    assert [second for second, is_told in told if is_told] == [12, 24, 36]


def test_a_line_says_day_orders_rate_and_retries() -> None:
    clock, tally = Clock(), Tally()
    progress = ProgressLine(tally, 31, clock)
    tally.days, tally.rows, tally.resumed, tally.requests, tally.retries = 2, 1_500, 500, 12, 1
    clock.now += 10
    assert progress.line() == "Day 3 of 31: 1,500 orders so far, 100 orders/s, 12 requests, 1 retries"
    # A zone whose clocks went back over midnight is asked for one date more than it has days.
    tally.days = 32
    clock.now += 10
    assert "Day 31 of 31" in str(progress.line())


def test_the_summary_is_of_the_receipt() -> None:
    receipt = {"rows": 1_500, "duration_seconds": 2.04, "requests": 12, "retries": 1, "restarts": 0, "files": []}
    assert summary(receipt) == "1,500 orders in 2.0 s: 12 requests, 1 retries, 0 restarts"
    files = [{"bytes": 1_000}, {"bytes": 500}]
    assert summary(receipt | {"files": files}).endswith("; 2 files, 1,500 bytes")
