"""The cost of reading a listing, without the network: time per row and memory, beside what any reading needs.

``python benchmarks/paginator.py`` reads still listings page by page with the paginator. The floor remembers the ids of
each page in a set and their ranks in a dict, and checks nothing. Both are measured by turns; the ratio is that of the
best runs.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from airflow_provider_kapture.client.pagination.paginator import AnchoredPaginator

PAGE_SIZES = (100, 500, 1_000)
ROWS = 50_000
RUNS = 7
MILLION = 1_000_000


def read_with_paginator(rows: int, page_size: int) -> tuple[float, int]:
    """Return the seconds of CPU that the paginator takes for a still listing, and the number of its orders."""
    pages, found, seconds = AnchoredPaginator(page_size), 0, 0.0
    while not pages.done:
        request = pages.next_requests(1)[0]
        # As the parser makes them: a new list for each response, of new integers.
        keys = [10**9 + row for row in range(request.offset, min(request.offset + request.limit, rows))]
        start = time.process_time()
        found += len(pages.handle_page(keys))
        seconds += time.process_time() - start
    pages.close()
    return seconds, found


def read_with_floor(rows: int, page_size: int) -> tuple[float, int]:
    """Return the seconds that it takes to remember the ids and ranks of the same pages."""
    seen, ranks, seconds = set[int](), dict[int, int](), 0.0
    for first in range(0, rows, page_size):
        keys = [10**9 + row for row in range(first, min(first + page_size, rows))]
        start = time.process_time()
        seen.update(keys)
        ranks.update(zip(keys, range(first, first + len(keys)), strict=True))
        seconds += time.process_time() - start
    return seconds, len(seen)


def best(read: Callable[[int, int], tuple[float, int]], page_size: int) -> float:
    """Return the nanoseconds per row of one run."""
    seconds, found = read(ROWS, page_size)
    assert found == ROWS
    return seconds / ROWS * 1e9


def peak_growth(rows: int) -> float:
    """Return by how many MiB the peak memory of a process grows when it reads so many rows."""
    read_with_paginator(PAGE_SIZES[-1], PAGE_SIZES[-1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read_with_paginator(rows, PAGE_SIZES[-1])
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and the memory that a million orders take."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memory", type=int, help="measure the memory of so many rows in this process, and end")
    options = parser.parse_args(arguments)
    if options.memory:
        print(f"{peak_growth(options.memory):.1f}")
        return
    print("| rows of a page | floor, ns per row | paginator, ns per row | x floor |")
    print("|---|---|---|---|")
    for page_size in PAGE_SIZES:
        runs = [(best(read_with_floor, page_size), best(read_with_paginator, page_size)) for _ in range(RUNS)]
        floor, paginator = (min(each) for each in zip(*runs, strict=True))
        print(f"| {page_size:,} | {floor:.0f} | {paginator:.0f} | {paginator / floor:.1f} |")
    command = [sys.executable, __file__, "--memory", str(MILLION)]
    grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    print(f"\nMemory: +{grown} MiB for a listing of {MILLION:,} orders.")


if __name__ == "__main__":
    main()
