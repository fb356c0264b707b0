"""Switches about responses: the rows of a page, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_kapture.emulator.request_switches import RequestSwitches
from airflow_provider_kapture.emulator.switch_topics import switch


@dataclass(frozen=True, kw_only=True)
class ResponseSwitches(RequestSwitches):
    """The rows that the emulator returns for a request, and their format."""

    paging: Literal["rows", "rows_from_1", "pages", "pages_from_1", "rounded", "none"] = switch(
        "pagination",
        "rows",
        "what offset counts: rows from 0 or 1, pages from 0 or 1, rows rounded down to whole pages; none: always all "
        "rows",
    )
    offset_ignored: bool = switch("pagination", False, "return the first page for every request")
    limit_ignored: bool = switch("pagination", False, "return all rows from the offset on, or page_cap rows")
    default_limit: int = switch("pagination", 100, "rows of a page if the request has no limit", least=1)
    page_cap: int | None = switch("pagination", None, "maximum number of rows of a page", least=1)
    over_cap: Literal["cut", "400", "500", "failed"] = switch(
        "pagination", "cut", "a limit above page_cap: page_cap rows, an HTTP status, or a failure with status 200"
    )
    past_end: Literal["as_empty", "array", "failed", "404", "400", "500", "first_page", "last_page", "last_row"] = (
        switch(
            "pagination",
            "as_empty",
            "an offset beyond the last row: the response without orders, an empty list, a failure, or rows again",
        )
    )
    total_cap: int | None = switch("pagination", None, "number of rows that can be reached with any offset", least=1)
    over_total: Literal["cut", "400", "500", "failed"] = switch(
        "pagination", "cut", "offset plus limit above total_cap: the rows beyond it are missing, or a failure"
    )
    hidden: Literal["none", "some", "most"] = switch(
        "pagination", "none", "rows that are removed from a page after limit was applied: none, every third, 19 of 20"
    )

    empty: Literal[
        "array",
        "null",
        "missing",
        "text",
        "object",
        "message",
        "failed_array",
        "sentence",
        "bare_object",
        "bare_list",
        "no_body",
        "204",
        "404",
        "404_html",
        "400",
    ] = switch(
        "nothing found",
        "array",
        "the response without orders: the value of the rows, a failure with status 200 (with a message, an empty "
        "list, or a sentence in place of the rows), an entire body, or an HTTP status",
    )
    empty_message: str = switch(
        "nothing found",
        "No orders found.",
        "the message of a response without orders; {start} is the first date of the request",
    )

    envelope: Literal[
        "success",
        "boolean",
        "number",
        "status",
        "capital",
        "status_200",
        "status_200_text",
        "status_ok",
        "status_true",
        "code_200",
        "none",
    ] = switch("envelope", "success", "how success is reported; none: not at all")
    failure_keys: Literal["lower", "capital"] = switch(
        "envelope", "lower", 'how failure is spelt: "status"/"message", or "Status"/"Message"'
    )
    rows_at: str = switch(
        "envelope",
        "order_details",
        "key of the rows, a dotted path; empty: the response itself is the list of rows",
    )
    content_type: str = switch("envelope", "application/json", "the Content-Type of responses with orders")
    double_json: bool = switch("envelope", False, "encode the JSON as a JSON string")
    indent: bool = switch("envelope", False, "write responses with line breaks and indentation")
    gzip: bool = switch("envelope", False, "compress responses for clients that accept gzip")

    create_date: Literal["ms", "seconds", "text", "float", "words", "iso", "day_first", "null", "missing"] = switch(
        "values",
        "ms",
        "createDate: milliseconds, seconds, digits as text, a float, three date formats, null, or missing",
    )
    numbers_as_strings: bool = switch("values", False, "write every number as a string")
    unknown_fields: bool = switch("values", False, "add undocumented fields")
    missing_fields: bool = switch("values", False, "omit fields of some orders")
    lines: bool = switch("values", False, "rows are lines: some orders are two rows with the same id")
    nan: bool = switch("values", False, "write some amounts as NaN")
    trailing_comma: bool = switch("values", False, "write a comma after the last row")
    charset: Literal["utf_8", "utf_8_bom", "latin_1", "latin_1_undeclared", "cp1252", "utf_16", "utf_16_undeclared"] = (
        switch("values", "utf_8", "how text is encoded; declared in Content-Type unless undeclared")
    )
