"""Pull the same orders with other tools, each in its own environment: time, memory, and the orders that they lose."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from itertools import chain

from pulls.measure import PASSWORD, PATH, USER, Job
from runs import FLOOR, ROWS_HEAD, Emulator, Pull, PullProcess, emulator, machine, ours, paired, progress, publish, row

ORDERS, PAIRS = 100_000, 3
CHECKED_ORDERS = 20_000
SITUATIONS = {
    "still": {},
    "pages capped at 500": {"page_cap": 500},
    "3 orders leave per response": {"delete_per_answer": 3},
    "capped, and 3 leave": {"page_cap": 500, "delete_per_answer": 3},
}
PULLS = (
    ours("jsonl"),
    ours("parquet"),
    Pull("dlt rest_api, Parquet", "dlt_rest_api.py", "dlt"),
    Pull("Airbyte's CDK, messages to a file", "airbyte_manifest.py", "airbyte"),
    Pull("Singer SDK, messages to a file", "singer_tap.py", "singer"),
    Pull("Airflow's HttpOperator, nothing written", "airflow_http.py", "airflow_http"),
    Pull("`requests` and pandas, Parquet", "pandas_loop.py", "pandas"),
)


def main() -> None:
    """Print the tables, and write them to docs/performance.md."""
    publish("peers", chain([machine(), ""], speed(), [""], losses()))


def speed() -> Iterator[str]:
    """Yield the table of times and memory."""
    yield f"{ORDERS:,} orders, {PAIRS} pairs each, with the environments of `benchmarks/requirements/`."
    yield ""
    yield ROWS_HEAD
    with emulator(ORDERS) as server:
        floor = PullProcess(FLOOR, server)
        for pull in PULLS:
            try:
                yield row(pull.label, paired(pull, server, floor, PAIRS))
            except RuntimeError as error:
                yield f"| {pull.label} | {error} | | | |"
        floor.close()


def losses() -> Iterator[str]:
    """Yield the table of orders that are lost, which are in the listing throughout, and of those that are repeated."""
    yield f"Orders lost of {CHECKED_ORDERS:,}, and orders repeated, if any. Only those in the listing throughout count."
    yield ""
    yield f"| pull | {' | '.join(SITUATIONS)} |"
    yield "|---" * (len(SITUATIONS) + 1) + "|"
    for pull in PULLS:
        if pull.file_format != "parquet":
            yield f"| {pull.label} | {' | '.join(_loss(pull, each) for each in SITUATIONS.values())} |"


def _loss(pull: Pull, switches: dict[str, object]) -> str:
    progress(f"{pull.label}, {switches}")
    with emulator(CHECKED_ORDERS) as server:
        process = None
        try:
            process = PullProcess(pull, server)
            server.control("switches", switches)
            found = process.measure("ids")["ids"]
        except RuntimeError as error:
            return str(error).replace("|", " ")
        finally:
            if process is not None:
                process.close()
        server.control("switches", {"page_cap": None, "delete_per_answer": 0})
        lost = len(set(_ids_left(server)) - set(found))
    repeated = len(found) - len(set(found))
    return f"{lost:,}" + (f" ({repeated:,} repeated)" if repeated else "")


def _ids_left(server: Emulator) -> list[int]:
    """Return the ids of the orders that are in the listing now."""
    body = json.dumps(Job(server.origin, *server.days, page_size=ORDERS).body()).encode()
    headers = {"Authorization": f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"}
    request = urllib.request.Request(server.origin + PATH, body, headers | {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return [each["id"] for each in json.load(response)["order_details"]]


if __name__ == "__main__":
    main()
