import datetime as dt
import time

import pytest
from cluster import POOL, Cluster
from job import Job

from airflow_provider_kapture.emulator import Book

pytestmark = pytest.mark.distributed

BOOK = Book(orders=200_000, days=31, start=dt.date(2024, 5, 1))
# Pages of 50, so that a day is more than a hundred of them; of each hundred answers, one is a 503 or cut short.
SWITCHES = {"latency": 0.05, "page_cap": 50, "status_every": 200, "drop_every": 199}
SLOTS, PAGES = 4, 2
SECONDS_DOWN = 20


class Diary:
    """Says what happens, and when."""

    def __init__(self):
        self._began = time.monotonic()

    def note(self, what):
        print(f"{time.monotonic() - self._began:6.1f} s  {what}", flush=True)  # noqa: T201 - who waits for minutes sees how far it is


@pytest.mark.timeout(900)
def test_a_month_is_whole_although_workers_broker_triggerer_and_kapture_go_down(tmp_path, tidies_up_when_stopped):
    diary = Diary()
    with Cluster(tmp_path, BOOK, SWITCHES, slots=SLOTS, pages=PAGES) as cluster:
        job = Job(cluster, BOOK, "month/")

        def until(what, ask, seconds=180):
            cluster.processes.wait_for(what, ask, seconds)
            diary.note(f"{what}; {job.pulled()} of {BOOK.days} days are done")

        diary.note("Airflow is healthy")
        for name in ("worker-1", "worker-2"):
            cluster.start_worker(name, SLOTS // 2)
        job.begin()

        def halted_in_a_pull(worker):
            """The map indexes of the pulls that a worker is in the middle of; none where there are none yet."""
            found = job.running_in(cluster.processes.pause(worker)) if cluster.is_pulling(worker) else []
            if not found:
                cluster.processes.resume(worker)
            return found

        cut_off = cluster.processes.wait_for("worker-1 pulls", lambda: halted_in_a_pull("worker-1"), 180)
        diary.note(f"worker-1 pulls: SIGKILL; {len(cut_off)} days are cut off")
        cluster.processes.kill("worker-1")
        cluster.start_worker("worker-3", SLOTS // 2)

        until("the sensor is deferred: SIGKILL for the triggerer", job.is_sensor_deferred)
        cluster.processes.kill("triggerer")
        cluster.start("triggerer")

        until("worker-2 pulls: SIGTERM", lambda: cluster.is_pulling("worker-2"))
        diary.note(f"worker-2 took {cluster.processes.stop('worker-2', 120):.1f} s to end")
        cluster.start_worker("worker-4", SLOTS // 2)

        until("worker-3 pulls: Redis is restarted", lambda: cluster.is_pulling("worker-3"))
        cluster.processes.stop("redis")
        cluster.start_redis()

        until("worker-4 pulls: Kapture goes down", lambda: cluster.is_pulling("worker-4"))
        assert job.pulled() < BOOK.days
        cluster.kapture_down()
        time.sleep(SECONDS_DOWN)
        cluster.kapture_up()
        diary.note("Kapture is back")

        pool = cluster.call("GET", f"pools/{POOL}")
        assert pool["deferred_slots"] == 1
        assert pool["occupied_slots"] <= SLOTS
        job.begin_next_month()
        until("the run has ended", job.has_ended, 300)
        assert job.state() == "success"

        objects = job.check()
        assert len(objects) == BOOK.days
        stats = cluster.kapture("GET", "stats")
        assert stats["max_in_flight"] <= SLOTS * PAGES
        tries = {each["map_index"]: each["try_number"] for each in job.tasks()}
        assert any(tries[index] > 1 for index in cut_off)
        diary.note(tally(job, objects, stats, tries))
    diary.note("every process has ended")


def tally(job, objects, stats, tries):
    receipts = job.receipts
    rows, retries = (sum(receipt[name] for receipt in receipts) for name in ("rows", "retries"))
    again = {index: count for index, count in sorted(tries.items()) if count > 1}
    return f"""\
{rows:,} orders in {len(objects)} objects, each once, each object as its receipt says
          Kapture: {stats["requests"]:,} requests, {stats["statuses"]}, at most {stats["max_in_flight"]} at once
          pages that were asked for again by the tries that succeeded: {retries}
          tries of the days that took more than one: {again}"""
