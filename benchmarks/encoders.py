"""The cost of encoding orders, without the network: CPU time per order, as a ratio to JSON Lines.

``python benchmarks/encoders.py`` encodes the same orders in each format: as the vendor documents them, each with more
fields, and one in 2,000 with more fields. All are measured by turns; the ratios are medians of ratios of one turn.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Sequence
from statistics import median

import msgspec

from airflow_provider_kapture.emulator.book import Book
from airflow_provider_kapture.storage.encoders.formats import ENCODERS

ORDERS, PAGE_SIZE, RUNS = 20_000, 1_000, 7
MORE = b',"attr1":"27AAPFU0939F1ZV","attr2":17,"deliverySlot":"10-12"}'
# How many orders there are for each that has more fields.
ACCOUNTS = {"documented fields": 0, "more fields": 1, "more fields in 1 of 2,000": 2_000}


class Nothing(io.BytesIO):
    """A file that keeps nothing."""

    def write(self, data: object) -> int:
        return memoryview(data).nbytes  # type: ignore[arg-type]


def pages(records: Sequence[bytes], every: int) -> list[list[msgspec.Raw]]:
    """Return the orders as the client returns them: parts of the text of a page."""
    sent = [each[:-1] + MORE if every and not at % every else each for at, each in enumerate(records)]
    bodies = (b"[" + b",".join(sent[at : at + PAGE_SIZE]) + b"]" for at in range(0, len(sent), PAGE_SIZE))
    return [msgspec.json.decode(body, type=list[msgspec.Raw]) for body in bodies]


def cost(file_format: str, read: Sequence[Sequence[msgspec.Raw]]) -> float:
    """Return the seconds of CPU that a file takes, the hashes of its orders included."""
    encoder = ENCODERS[file_format](Nothing())
    start = time.process_time()
    for each in read:
        encoder.write(each)
    encoder.close()
    return time.process_time() - start


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=RUNS, help="turns (%(default)s)")
    runs = parser.parse_args(arguments).runs
    records = [order.record for order in Book(orders=ORDERS, days=1).generate()]
    accounts = {name: pages(records, every) for name, every in ACCOUNTS.items()}
    cases = [("jsonl", next(iter(accounts))), *((each, name) for each in ("csv", "parquet") for name in accounts)]
    found: dict[tuple[str, str], list[float]] = {case: [] for case in cases}
    for _ in range(runs):
        for file_format, name in cases:
            found[file_format, name].append(cost(file_format, accounts[name]))

    def ratio(case: tuple[str, str], base: tuple[str, str]) -> float:
        return median(one / other for one, other in zip(found[case], found[base], strict=True))

    print("| format | orders with | us per order | x JSONL | x documented fields |")
    print("|---|---|---|---|---|")
    for case in cases:
        plain = (case[0], cases[0][1])
        micro = median(found[case]) / ORDERS * 1e6
        print(f"| {case[0]} | {case[1]} | {micro:.2f} | {ratio(case, cases[0]):.1f} | {ratio(case, plain):.2f} |")


if __name__ == "__main__":
    main()
