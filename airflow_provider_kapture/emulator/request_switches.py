"""Switches about requests: credentials, and the accepted form of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_kapture.emulator.switch_topics import switch


@dataclass(frozen=True, kw_only=True)
class RequestSwitches:
    """The requests that the emulator accepts."""

    auth: Literal["basic", "key", "token", "token_of_login"] = switch(
        "credentials",
        "basic",
        "what was issued: login and password; a key (sent as base64 without a colon); or the finished token of a key "
        "or of login and password",
    )
    bad_auth: Literal[401, 403, 200] = switch("credentials", 401, "the HTTP status for wrong credentials")
    bad_auth_body: Literal["json", "html", "empty", "plain", "redirect", "login_page"] = switch(
        "credentials",
        "json",
        "the response to wrong credentials: JSON, HTML, no body, plain text, a redirect to a login page, or that page "
        "with status 200",
    )
    bad_auth_message: str = switch("credentials", "Invalid Auth Key", "the message for wrong credentials")
    required_headers: str | None = switch(
        "credentials",
        None,
        'headers without which credentials are rejected: "NAME: VALUE; ..."; {token} is the value after Basic, '
        "{password} the password",
    )
    user_agent: str | None = switch(
        "credentials", None, "required start of the User-Agent header; others get a firewall's 403 with HTML"
    )

    method: Literal["POST", "GET", "both"] = switch("method", "POST", "which HTTP method is accepted")
    bad_method: Literal[400, 403, 404, 405, 411, 500, 501] = switch(
        "method", 405, "the HTTP status for the method that is not accepted"
    )

    timezone: str | None = switch(
        "dates", None, "the time zone in which dates are read, an IANA name; none: the book's"
    )
    date_format: str = switch("dates", "%Y-%m-%d", "required format of dates (strftime)")
    lenient_dates: bool = switch(
        "dates",
        False,
        "read dates like a lenient Java parser: numbers out of range overflow, trailing text is ignored",
    )
    bad_date: Literal["refused", "failed", "fault", "empty", "no_filter"] = switch(
        "dates",
        "refused",
        "an invalid date: 400, a failure with status 200, 500, a success without orders, or the date is ignored",
    )
    dates_ignored: bool = switch("dates", False, "ignore all dates: every order matches")
    end_date: Literal["inclusive", "exclusive", "midnight"] = switch(
        "dates",
        "inclusive",
        "whether the end date's day is included; midnight: only its first second is (BETWEEN two midnights)",
    )
    max_days: int | None = switch("dates", None, "maximum number of days in one request", least=1)
    recent_days: int | None = switch("dates", None, "number of days before today that can be requested", least=1)
    future_dates: bool = switch("dates", True, "whether dates after today can be requested")
    dates_required: bool = switch("dates", False, "whether a request must have a start date and an end date")
    bad_range: Literal["refused", "failed", "empty"] = switch(
        "dates",
        "refused",
        "a range that is missing, too wide, too old or in the future: 400, a failure with 200, or no orders",
    )

    window_is_filter: bool = switch(
        "filters", True, "whether createStartDate or createEndDate alone counts as the required filter"
    )
    missing_filter: Literal["400", "403", "404", "422", "500", "failed", "empty"] = switch(
        "filters", "400", "without a filter: an HTTP status, a failure with status 200, or no orders"
    )
    missing_filter_message: str | None = switch(
        "filters", None, "the message for a missing filter; none: the documented one"
    )
    all_keys: Literal["optional", "400", "500", "failed"] = switch(
        "filters",
        "optional",
        "whether every key of the documented example body is required, and the failure without one",
    )
    cm_id_key: Literal["cmId", "cm_id"] = switch("filters", "cmId", "the key of the account's id")
    view_id: Literal["optional", "required", "refused"] = switch("filters", "optional", "whether viewId is accepted")

    body: Literal["object", "list"] = switch(
        "body", "object", "whether the body is the JSON object or a list that contains it; the other is rejected"
    )
    count_type: Literal["any", "text", "number"] = switch(
        "body", "any", "whether limit and offset must be strings or numbers; others get 400"
    )
