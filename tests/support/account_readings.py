"""How accounts may read the vendor's page: one table, each row a single difference from the emulator's defaults."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

from airflow_provider_kapture.emulator import Book

FIRST_DAY = dt.date(2024, 5, 8)

Expected = Literal["right", "error", "right or error", "unknowable"]


@dataclass(frozen=True)
class Reading:
    """An account that differs in one thing.

    :param default: what comes of a pull with a connection that has only the required fields: every order, a clear
        error, one of the two by chance, or what no client can know
    :param small: the same with pages of 10, where it is different
    :param extra: what the connection's extra has beside the required keys
    :param book: arguments of the order book, where another is needed
    :param start_days_ago: the first day of the window, counted from today; the book's usual days where there is none
    :param is_wrong_key: whether the connection has a wrong secret
    :param is_large: whether the book is so large that pages of 10 take long
    """

    topic: str
    name: str
    default: Expected
    switches: Mapping[str, Any] = field(default_factory=dict)
    small: Expected | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    book: Mapping[str, Any] = field(default_factory=dict)
    start_days_ago: int | None = None
    is_wrong_key: bool = False
    is_large: bool = False

    def expected(self, page_size: int) -> Expected:
        """What comes of a pull with pages of this size."""
        return self.default if self.small is None or page_size > 10 else self.small

    @property
    def first_day(self) -> dt.date:
        """The first of the three days that are pulled."""
        if self.start_days_ago is None:
            return FIRST_DAY
        zone = ZoneInfo(self.book.get("timezone", "Asia/Kolkata"))
        return dt.datetime.now(zone).date() - dt.timedelta(days=self.start_days_ago)

    def made_book(self) -> Book:
        """Orders of the day before the window and of its first two days: the third has none."""
        usual = {"orders": 120, "days": 3, "start": self.first_day - dt.timedelta(days=1)}
        return Book(**{**usual, **self.book})


def _reading(topic: str, name: str, default: Expected, **more: Any) -> Reading:
    own = ("small", "extra", "book", "start_days_ago", "is_wrong_key", "is_large")
    options = {key: value for key, value in more.items() if key in own}
    return Reading(topic, name, default, {key: more[key] for key in more if key not in own}, **options)


ONE_A_DAY = {"orders": 3}
FULL = {"days": 5, "orders": 200}


def _credentials() -> list[Reading]:
    def of(name: str, default: Expected, **more: Any) -> Reading:
        return _reading("credentials", name, default, **more)

    def wrong(name: str, **more: Any) -> Reading:
        return of(f"wrong key: {name}", "error", is_wrong_key=True, **more)

    spellings = ("Invalid Auth Key", "AuthKeyInvalid", "APIExpired", "API Request is Expired", "Auth key is disabled")
    return [
        of("as the vendor's page has it", "right"),
        of("an issued key", "error", auth="key"),
        of("the finished token of a key", "right", auth="token"),
        of("the finished token of login and password", "right", auth="token_of_login"),
        of("x-api-key with the token", "error", required_headers="x-api-key: {token}"),
        of("x-api-key with the password", "error", required_headers="x-api-key: {password}"),
        of("x-api-key and x-api-type", "error", required_headers="x-api-key: {token}; x-api-type: order"),
        of("a secret header", "error", required_headers="x-account-secret: 5ad1"),
        of("a firewall that wants a browser", "error", user_agent="Mozilla/"),
        *(
            wrong(f"{status} {body}", bad_auth=status, bad_auth_body=body)
            for status in (401, 403)
            for body in ("json", "html", "empty", "plain")
        ),
        *(wrong(f"200 {words}", bad_auth=200, bad_auth_message=words) for words in spellings),
        *(wrong(f"401 {words}", bad_auth_message=words) for words in ("AuthKeyInvalid", "APIExpired")),
        wrong("403 API Request is Expired", bad_auth=403, bad_auth_message="API Request is Expired"),
        wrong("200 in capitals", bad_auth=200, failure_keys="capital"),
        wrong("200 plain", bad_auth=200, bad_auth_body="plain"),
        wrong("200 empty", bad_auth=200, bad_auth_body="empty"),
        wrong("a redirect to a login page", bad_auth_body="redirect"),
        wrong("200 a login page", bad_auth_body="login_page"),
    ]


def _method() -> list[Reading]:
    refusals = (400, 403, 404, 405, 411, 500, 501)
    return [
        _reading("method", "POST and GET", "right", method="both"),
        *(
            _reading("method", f"GET only, POST gets {status}", "error", method="GET", bad_method=status)
            for status in refusals
        ),
    ]


def _dates() -> list[Reading]:
    def of(name: str, default: Expected, **more: Any) -> Reading:
        return _reading("dates", name, default, **more)

    plain = ("%d-%m-%Y", "%d/%m/%Y", "%m/%d/%Y", "%m-%d-%Y", "%d-%b-%Y")
    timed = ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%d-%m-%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
    return [
        *(of(f"{each} or 400", "error", date_format=each) for each in (*plain, *timed)),
        *(of(f"{each} or failed", "error", date_format=each, bad_date="failed") for each in plain[::2]),
        *(of(f"{each} or 500", "error", date_format=each, bad_date="fault") for each in plain[::2]),
        *(of(f"{each} or nothing", "error", date_format=each, bad_date="empty") for each in (*plain, *timed[1:3])),
        *(of(f"{each} or no filter", "error", date_format=each, bad_date="no_filter") for each in plain[::2]),
        *(of(f"{each}, lenient", "error", date_format=each, lenient_dates=True) for each in plain),
        of("a lenient parser of the page's format", "right", lenient_dates=True),
        of("%Y-%m-%d %H:%M:%S, BETWEEN", "error", date_format="%Y-%m-%d %H:%M:%S", end_date="midnight"),
        of("dates are ignored", "error", dates_ignored=True),
        of("an exclusive end", "error", end_date="exclusive"),
        of("an exclusive end, days on both sides", "error", end_date="exclusive", book=FULL),
        of("BETWEEN two midnights", "error", end_date="midnight"),
        of("BETWEEN two midnights, days on both sides", "error", end_date="midnight", book=FULL),
        of("BETWEEN two midnights, none created then", "error", end_date="midnight", book={"has_edges": False}),
        of("BETWEEN two midnights, one order a day", "right", end_date="midnight", book=ONE_A_DAY),
        *(
            of(f"the zone {zone}", "error", book={**FULL, "timezone": zone}, extra={"timezone": "Asia/Kolkata"})
            for zone in ("UTC", "America/New_York", "Asia/Dubai")
        ),
        of("24 hours at once, or 400", "right", max_days=1),
        of("24 hours at once, or failed", "right", max_days=1, bad_range="failed"),
        of("24 hours at once, or nothing", "right", max_days=1, bad_range="empty"),
        of("only the last 90 days", "right", recent_days=90, start_days_ago=40),
        of("only the last 90 days, asked for more", "error", recent_days=90, start_days_ago=120),
        of("only the last 90 days, else failed", "error", recent_days=90, bad_range="failed", start_days_ago=120),
        of(
            "only the last 90 days, else nothing",
            "unknowable",
            recent_days=90,
            bad_range="empty",
            start_days_ago=120,
            book={"days": 122, "orders": 1_220},
        ),
        of("no future dates", "right", future_dates=False, start_days_ago=3),
        of("no future dates, up to today", "right", future_dates=False, start_days_ago=2),
        of("no future dates, or failed", "right", future_dates=False, bad_range="failed", start_days_ago=2),
        of("dates must be there", "right", dates_required=True),
    ]


def _filters() -> list[Reading]:
    def of(name: str, default: Expected, **more: Any) -> Reading:
        return _reading("filters", name, default, **more)

    def alone(how: str, words: str | None = None) -> Reading:
        said = "" if words is None else f", {words}"
        more = {"missing_filter": how, "missing_filter_message": words}
        return of(f"a window alone gets {how}{said}", "error", window_is_filter=False, **more)

    words = ("Mandatory field missing", "ReqFieldMissing", "Please refine your search")
    return [
        *(alone(how) for how in ("400", "403", "404", "422", "500", "failed", "empty")),
        *(alone(how, each) for how in ("400", "failed") for each in words),
        *(of(f"every key must be there, or {how}", "right", all_keys=how) for how in ("400", "500", "failed")),
        of("cm_id instead of cmId", "error", cm_id_key="cm_id"),
        of("viewId is required", "right", view_id="required"),
        of("viewId is refused", "error", view_id="refused"),
        _reading("body", "a list", "error", body="list"),
        _reading("body", "limit and offset as text", "right", count_type="text"),
        _reading("body", "limit and offset as numbers", "error", count_type="number"),
    ]


def _pagination() -> list[Reading]:
    def of(name: str, default: Expected, **more: Any) -> Reading:
        return _reading("pagination", name, default, **more)

    # With pages of 10, what lies beyond the end is asked for while the listing is read.
    ends: Mapping[str, Expected] = {
        "array": "right",
        "failed": "right",
        "404": "right",
        "400": "right",
        "500": "right",
        "first_page": "right",
        "last_page": "right",
        "last_row": "right",
    }
    return [
        of("rows from 1", "right", paging="rows_from_1"),
        of("pages from 0", "error", paging="pages"),
        of("pages from 1", "error", paging="pages_from_1"),
        of("pages from 0, 700 a day", "error", paging="pages", book={"orders": 2_100}, is_large=True),
        of("pages from 1, 700 a day", "error", paging="pages_from_1", book={"orders": 2_100}, is_large=True),
        of("offsets rounded down, 700 a day", "right", paging="rounded", book={"orders": 2_100}, is_large=True),
        of("offsets rounded down", "right", paging="rounded"),
        *(
            of(f"{name}, one order a day", default, book=ONE_A_DAY, paging=paging)
            for name, paging, default in (
                ("rows from 1", "rows_from_1", "right"),
                ("pages from 0", "pages", "right"),
                ("pages from 1", "pages_from_1", "right"),
                ("offsets rounded down", "rounded", "right"),
            )
        ),
        of("unpaged", "right", paging="none"),
        of("unpaged, one order a day", "right", paging="none", book=ONE_A_DAY),
        of("unpaged, 50 a day", "right", paging="none", book={"orders": 150}),
        of("unpaged, 50 a day, 24 hours at once", "error", paging="none", book={"orders": 150}, max_days=1),
        of("unpaged, 700 a day", "right", paging="none", book={"orders": 2_100}, is_large=True),
        of("offset is ignored", "error", offset_ignored=True),
        of("offset is ignored, one order a day", "right", offset_ignored=True, book=ONE_A_DAY),
        of("limit is ignored", "right", limit_ignored=True),
        of("limit is ignored, pages of 25", "right", limit_ignored=True, page_cap=25),
        *(of(f"pages of {cap}", "right", page_cap=cap) for cap in (2, 10, 20, 25, 30)),
        of("pages of 100", "right", page_cap=100, book={"orders": 750}),
        of("pages of 1", "error", page_cap=1),
        *(
            of(f"a limit over 100 gets {how}", "error", page_cap=100, over_cap=how, small="right")
            for how in ("400", "500", "failed")
        ),
        *(of(f"past the end: {how}", "right", small=small, past_end=how) for how, small in ends.items()),
        *(of(f"past the end: {how}, one order a day", "right", past_end=how, book=ONE_A_DAY) for how in ends),
        of("a refused end, 10 orders a day", "right", past_end="404", book={"orders": 30}),
        *(
            of(
                f"{cap:,} rows in all, {how}",
                "unknowable" if how == "cut" and cap < 10_000 else "error",
                total_cap=cap,
                over_total=how,
                book={"orders": 3 * cap + 300},
                is_large=cap > 1_000,
            )
            for cap, hows in (
                (1_000, ("cut", "400", "500", "failed")),
                (5_000, ("cut", "400")),
                (10_000, ("cut", "400")),
            )
            for how in hows
        ),
        *(
            of(f"30 of 40 rows in all, {how}", "error", total_cap=30, over_total=how)
            for how in ("400", "500", "failed")
        ),
        *(
            of(f"a window of 1,000 rows that fits, {how}", "right", total_cap=1_000, over_total=how)
            for how in ("cut", "400", "500", "failed")
        ),
        of("every third row hidden after the limit", "right", hidden="some"),
        of("19 of 20 rows hidden after the limit", "right", hidden="most", small="unknowable", book={"orders": 600}),
    ]


def _nothing_found() -> list[Reading]:
    def of(name: str, default: Expected, **more: Any) -> Reading:
        return _reading("nothing found", name, default, **more)

    shapes = ("missing", "text", "object", "message", "failed_array", "sentence", "bare_object", "bare_list", "no_body")
    return [
        of("null", "right", empty="null"),
        *(of(shape, "error", empty=shape) for shape in (*shapes, "204", "404", "404_html", "400")),
        of("a message with the date", "error", empty="message", empty_message="No data for {start}"),
        of("404 with the date", "error", empty="404", empty_message="No data found for {start}"),
        of("a message in capitals", "error", empty="message", failure_keys="capital"),
        of("no orders at all, []", "right", book={"orders": 0}),
        of("no orders at all, null", "right", empty="null", book={"orders": 0}),
        of("no orders at all, a message", "error", empty="message", book={"orders": 0}),
        of("orders only elsewhere", "right", book={"days": 1, "start": FIRST_DAY - dt.timedelta(days=30)}),
    ]


def _envelope() -> list[Reading]:
    def of(name: str, default: Expected, **more: Any) -> Reading:
        return _reading("envelope", name, default, **more)

    claims = ("number", "status_200", "status_200_text", "status_ok", "status_true", "code_200")
    return [
        *(of(f"success as {claim}", "right", envelope=claim) for claim in ("boolean", "status", "capital")),
        *(of(f"success as {claim}", "right", envelope=claim) for claim in claims),
        # Of the third day, which has no orders, there is nothing but an empty list.
        of("success as none", "error", envelope="none"),
        *(
            of(f"rows at {path or 'the top'}", "error", rows_at=path)
            for path in ("data", "message", "response.orders", "")
        ),
        *(of(f"as {kind}", "right", content_type=kind) for kind in ("text/html", "text/plain;charset=UTF-8")),
        of("JSON in a string", "error", double_json=True),
        of("indented", "right", indent=True),
        of("gzip", "right", gzip=True),
    ]


def _values() -> list[Reading]:
    def of(name: str, default: Expected, **more: Any) -> Reading:
        return _reading("values", name, default, **more)

    strange = ("seconds", "words", "iso", "day_first", "null", "missing")
    return [
        *(of(f"createDate: {how}", "error", create_date=how) for how in strange),
        *(of(f"createDate: {how}", "right", create_date=how) for how in ("text", "float")),
        of("numbers as text", "right", numbers_as_strings=True),
        of("more fields", "right", unknown_fields=True),
        of("fewer fields", "right", missing_fields=True),
        of("lines that share an id", "error", lines=True),
        of("NaN", "right", nan=True),
        of("a comma after the last row", "error", trailing_comma=True),
        *(of(f"{name}", "right", charset=name) for name in ("utf_8_bom", "latin_1", "cp1252", "utf_16")),
        *(of(f"{name}", "error", charset=name) for name in ("latin_1_undeclared", "utf_16_undeclared")),
    ]


def _wire() -> list[Reading]:
    def of(name: str, default: Expected, **more: Any) -> Reading:
        return _reading("wire", name, default, **more)

    kinds = ("closed", "reset", "half_head", "garbage", "reset_in_body", "half_chunk", "bad_gzip", "short_gzip")
    impatient = {"read_timeout": 0.3}
    # Retries that succeed must not depend on how fast the machine is.
    patient = {"retry_budget": 10}
    return [
        of("two nodes, one lags", "right", nodes="lagging"),
        of("two nodes, one lags, no cookies", "unknowable", nodes="lagging", sticky=False),
        of("two nodes, rows in another order", "right", nodes="other_order"),
        of("two nodes, rows in another order, no cookies", "right or error", nodes="other_order", sticky=False),
        of("a slow first byte", "right", latency=0.2),
        of("a first byte after read_timeout", "error", latency=0.6, extra={"read_timeout": 0.2}),
        *(of(f"every third response: {kind}", "right", broken=kind, broken_every=3, extra=patient) for kind in kinds),
        *(of(f"every response: {kind}", "error", broken=kind, broken_every=1) for kind in kinds[::3]),
        of("every third response: silence", "right", broken="silence", broken_every=3, extra=impatient | patient),
        of("every response: silence", "error", broken="silence", broken_every=1, extra=impatient),
        of("every third response is cut off", "right", drop_every=3, extra=patient),
        of("every third JSON ends early", "right", truncate_every=3, extra=patient),
        of("every third response is HTML", "right", html_every=3, extra=patient),
        *(
            of(f"every third response is {each}", "right", status_every=3, status=each, extra=patient)
            for each in (500, 502, 503, 504)
        ),
        *(of(f"every response is {each}", "error", status_every=1, status=each) for each in (500, 501, 503)),
        of("a redirect", "error", redirect="https://elsewhere.example/"),
        of("a gigabyte in a megabyte", "error", bomb=True),
        of("foreign JSON", "error", verbatim='{"ok": 1}'),
    ]


def _pace() -> list[Reading]:
    def of(how: str, name: str, words: str | None = None, **more: Any) -> Reading:
        said = "" if words is None else f", {words}"
        patient = {"retry_budget": 8}
        settings = {"too_fast": how, "too_fast_message": words, "extra": patient, **more}
        return _reading("pace", f"{name} gets {how}{said}", "right", **settings)

    # One request takes long enough for others to meet it.
    one = {"max_in_flight": 1, "latency": 0.02}
    return [
        *(of(how, "a second request at once", **one) for how in ("429", "403", "409", "423", "503", "failed")),
        of("failed", "a second request at once", "Request is already in process", **one),
        *(of(how, "more than 20 a second", max_per_second=20) for how in ("429", "403", "503", "failed")),
        of("failed", "more than 20 a second", "Rate limit exceeded, try again after some time", max_per_second=20),
    ]


READINGS: tuple[Reading, ...] = tuple(
    reading
    for group in (
        *(_credentials, _method, _dates, _filters, _pagination),
        *(_nothing_found, _envelope, _values, _wire, _pace),
    )
    for reading in group()
)
