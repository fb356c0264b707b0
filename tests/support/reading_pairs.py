"""Accounts that differ in many things at once: one value of each factor, so that every pair of values is met.

``python tests/support/reading_pairs.py [PART OF A NAME]`` prints what comes of each, through the doctor and a pull.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Mapping
from typing import Any

from account_readings import Reading
from doctor_runs import examined, retry_soon
from pairs import covering_rows

FACTORS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "credentials": {
        "login": {},
        "key": {"auth": "key"},
        "token": {"auth": "token"},
        "200": {"bad_auth": 200, "bad_auth_message": "AuthKeyInvalid"},
    },
    "method": {
        "both": {"method": "both"},
        "GET, 405": {"method": "GET"},
        "GET, 400": {"method": "GET", "bad_method": 400},
        "GET, 403": {"method": "GET", "bad_method": 403},
        "GET, 500": {"method": "GET", "bad_method": 500},
    },
    "dates": {
        "%Y-%m-%d": {},
        "%Y-%m-%d, lenient": {"lenient_dates": True},
        "%d-%m-%Y": {"date_format": "%d-%m-%Y"},
        "%m/%d/%Y, lenient": {"date_format": "%m/%d/%Y", "lenient_dates": True},
        "%d/%m/%Y, empty": {"date_format": "%d/%m/%Y", "bad_date": "empty"},
        "%d-%b-%Y, 500": {"date_format": "%d-%b-%Y", "bad_date": "fault"},
        "%d-%m-%Y %H:%M, failed": {"date_format": "%d-%m-%Y %H:%M", "bad_date": "failed"},
        "%m-%d-%Y, no filter": {"date_format": "%m-%d-%Y", "bad_date": "no_filter"},
        "ignored": {"dates_ignored": True},
    },
    "end": {"inclusive": {}, "exclusive": {"end_date": "exclusive"}, "midnight": {"end_date": "midnight"}},
    "range": {
        "any": {},
        "24 hours": {"max_days": 1, "dates_required": True},
        "24 hours, failed": {"max_days": 1, "dates_required": True, "bad_range": "failed"},
        "24 hours, empty": {"max_days": 1, "dates_required": True, "bad_range": "empty"},
        "no future": {"future_dates": False},
    },
    "zone": {"Kolkata": {}, "UTC": {"timezone": "UTC"}, "New York": {"timezone": "America/New_York"}},
    "filter": {
        "none": {},
        "400": {"window_is_filter": False},
        "403": {"window_is_filter": False, "missing_filter": "403"},
        "failed": {"window_is_filter": False, "missing_filter": "failed", "missing_filter_message": "Refine"},
        "empty": {"window_is_filter": False, "missing_filter": "empty"},
        "all keys": {"all_keys": "500"},
        "no viewId": {"view_id": "refused"},
    },
    "body": {"object": {}, "list": {"body": "list"}},
    "paging": {
        "rows": {},
        "rows from 1": {"paging": "rows_from_1"},
        "pages": {"paging": "pages"},
        "pages from 1": {"paging": "pages_from_1"},
        "rounded": {"paging": "rounded"},
        "none": {"paging": "none"},
        "offset ignored": {"offset_ignored": True},
        "limit ignored": {"limit_ignored": True},
        "cap 25": {"page_cap": 25},
        "cap 100, 400": {"page_cap": 100, "over_cap": "400"},
    },
    "past the end": {
        "empty": {},
        "array": {"past_end": "array"},
        "404": {"past_end": "404"},
        "failed": {"past_end": "failed"},
        "first page": {"past_end": "first_page"},
        "last row": {"past_end": "last_row"},
    },
    "nothing found": {
        each: {"empty": each}
        for each in ("array", "null", "message", "404", "204", "sentence", "failed_array", "bare_list", "text")
    },
    "envelope": {each: {"envelope": each} for each in ("success", "boolean", "status_200", "capital", "none")},
    "rows": {
        "usual": {},
        "data": {"rows_at": "data"},
        "message": {"rows_at": "message"},
        "nested": {"rows_at": "response.orders"},
        "bare": {"rows_at": ""},
    },
    "values": {
        "usual": {},
        "text": {"numbers_as_strings": True},
        "latin 1": {"charset": "latin_1"},
        "mark": {"charset": "utf_8_bom", "nan": True},
        "gzip": {"gzip": True, "indent": True},
    },
    "wire": {
        "sound": {},
        "drops": {"drop_every": 5},
        "500": {"status_every": 4, "status": 500},
        "nodes": {"nodes": "other_order"},
    },
    "pace": {
        "any": {},
        "20 a second": {"max_per_second": 20},
        "one at once": {"max_in_flight": 1, "latency": 0.002, "too_fast": "failed"},
    },
}
ROWS = tuple(covering_rows({name: tuple(values) for name, values in FACTORS.items()}))
_PATIENT = {"retry_budget": 3}


def reading_of(row: Mapping[str, str]) -> Reading:
    """Return the account with these values."""
    switches: dict[str, Any] = {}
    for name, value in row.items():
        switches |= FACTORS[name][value]
    book = {"orders": 200, "days": 5}
    return Reading("pairs", ", ".join(row.values()), "right", switches, extra=_PATIENT, book=book)


def main() -> None:
    """Print the table."""
    logging.disable()
    retry_soon(setattr)
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    totals: Counter[str] = Counter()
    for number, row in enumerate(ROWS):
        reading = reading_of(row)
        if part not in f"{number}: {reading.name}":
            continue
        with examined(reading) as found:
            after = [found.pull(page_size=size) for size in (None, 10)]
        worst = max(after, key=lambda each: ("right", "error", "SILENT").index(each.kind))
        trust = "trusted" if found.report.trusted else f"not: {', '.join(found.report.wrong)}"
        totals[f"{worst.kind}, {trust.partition(':')[0]}"] += 1
        day = " --day" if found.has_asked_for_day else ""
        learnt = {key: found.report.recommended.get(key) for key in found.report.changes}
        said = "" if worst.kind == "right" else f" | {worst.in_words}"
        name = f"{number}: {reading.name}"
        sys.stdout.write(f"{worst.kind:6} | {found.requests:>2}{day} | {trust} | {name} | {json.dumps(learnt)}{said}\n")
        sys.stdout.flush()
    sys.stdout.write("".join(f"{count:>4} {kind}\n" for kind, count in sorted(totals.items())))


if __name__ == "__main__":
    main()
