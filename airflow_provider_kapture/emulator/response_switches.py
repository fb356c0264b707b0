"""Switches about responses: which rows, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_kapture.emulator.request_switches import RequestSwitches
from airflow_provider_kapture.emulator.switch_topics import switch


@dataclass(frozen=True, kw_only=True)
class ResponseSwitches(RequestSwitches):
    """What rows the emulator returns for a request, and how it writes them."""

    paging: Literal["rows", "rows_from_1", "pages", "pages_from_1", "rounded", "none"] = switch(
        "pagination",
        "rows",
        "what offset counts: rows from 0 or 1, pages from 0 or 1, rows rounded down to whole pages; none: always all "
        "rows",
    )
    offset_ignored: bool = switch("pagination", False, "answer every request with the first page")
    limit_ignored: bool = switch("pagination", False, "return all rows from the offset on, or page_cap rows")
    default_limit: int = switch("pagination", 100, "rows of a page where no limit is given", least=1)
    page_cap: int | None = switch("pagination", None, "the most rows that a page has", least=1)
    over_cap: Literal["cut", "400", "500", "failed"] = switch(
        "pagination", "cut", "a limit above page_cap: page_cap rows, an HTTP status, or a failure with status 200"
    )
    past_end: Literal["as_empty", "array", "failed", "404", "400", "500", "first_page", "last_page", "last_row"] = (
        switch(
            "pagination",
            "as_empty",
            "an offset beyond the last row: as where nothing is found, an empty list, a failure, or rows again",
        )
    )
    total_cap: int | None = switch("pagination", None, "rows that can be reached with any offset", least=1)
    over_total: Literal["cut", "400", "500", "failed"] = switch(
        "pagination", "cut", "offset and limit together above total_cap: the rows beyond are missing, or a failure"
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
        "a response without orders: what stands for the rows, a failure with status 200 (with a message, an empty "
        "list, or a sentence in place of the rows), a whole body, or an HTTP status",
    )
    empty_message: str = switch(
        "nothing found", "No orders found.", "the message that says so; {start} is the first date of the request"
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
    ] = switch("envelope", "success", "how success is said; none: not at all")
    failure_keys: Literal["lower", "capital"] = switch(
        "envelope", "lower", 'how failure is spelt: "status"/"message", or "Status"/"Message"'
    )
    rows_at: str = switch(
        "envelope",
        "order_details",
        "where the rows are, a dotted path; an empty text: the response is the list of rows",
    )
    content_type: str = switch("envelope", "application/json", "the Content-Type of responses with orders")
    double_json: bool = switch("envelope", False, "write the JSON into a JSON string")
    indent: bool = switch("envelope", False, "write answers with line breaks and indentation")
    gzip: bool = switch("envelope", False, "pack answers for clients that accept it")

    create_date: Literal["ms", "seconds", "text", "float", "words", "iso", "day_first", "null", "missing"] = switch(
        "values",
        "ms",
        "createDate: milliseconds, seconds, digits as text, a float, three ways of a date, null, or missing",
    )
    numbers_as_strings: bool = switch("values", False, "write every number as a string")
    unknown_fields: bool = switch("values", False, "add fields that the page doesn't have")
    missing_fields: bool = switch("values", False, "leave fields out of some orders")
    lines: bool = switch("values", False, "rows are lines: some orders are two rows with the same id")
    nan: bool = switch("values", False, "write some amounts as NaN")
    trailing_comma: bool = switch("values", False, "write a comma after the last row")
    charset: Literal["utf_8", "utf_8_bom", "latin_1", "latin_1_undeclared", "cp1252", "utf_16", "utf_16_undeclared"] = (
        switch("values", "utf_8", "how text is encoded; declared in Content-Type unless undeclared")
    )
