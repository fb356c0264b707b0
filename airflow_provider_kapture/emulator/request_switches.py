"""Switches about requests: who may ask, and how a request must be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from airflow_provider_kapture.emulator.switch_topics import switch


@dataclass(frozen=True, kw_only=True)
class RequestSwitches:
    """What requests the emulator accepts."""

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
        'headers without which credentials count as wrong: "NAME: VALUE; ..."; {token} is what stands behind Basic, '
        "{password} the password",
    )
    user_agent: str | None = switch(
        "credentials", None, "a User-Agent must start with this text; others get 403 from a firewall, as HTML"
    )

    method: Literal["POST", "GET", "both"] = switch("method", "POST", "which HTTP method is accepted")
    bad_method: Literal[400, 403, 404, 405, 411, 500, 501] = switch(
        "method", 405, "the HTTP status for the method that is not accepted"
    )

    timezone: str | None = switch(
        "dates", None, "the zone that dates are read in, an IANA name; none: that of the book"
    )
    date_format: str = switch("dates", "%Y-%m-%d", "how dates must be written (strftime)")
    lenient_dates: bool = switch(
        "dates",
        False,
        "read dates as a lenient Java parser does: month 2024 is some other date, trailing text is ignored",
    )
    bad_date: Literal["refused", "failed", "fault", "empty", "no_filter"] = switch(
        "dates",
        "refused",
        "an unreadable date: 400, a failure with status 200, 500, a success without orders, or the date is left out",
    )
    dates_ignored: bool = switch("dates", False, "ignore all dates: every order matches")
    end_date: Literal["inclusive", "exclusive", "midnight"] = switch(
        "dates",
        "inclusive",
        "whether the end date's day is included; midnight: only its first second is (BETWEEN two midnights)",
    )
    max_days: int | None = switch("dates", None, "the widest range of days for one request", least=1)
    recent_days: int | None = switch("dates", None, "only so many days before today can be requested", least=1)
    future_dates: bool = switch("dates", True, "whether dates after today can be requested")
    dates_required: bool = switch("dates", False, "whether a request must have a start date and an end date")
    bad_range: Literal["refused", "failed", "empty"] = switch(
        "dates",
        "refused",
        "a range that is missing, too wide, too old or in the future: 400, a failure with 200, or no orders",
    )

    window_is_filter: bool = switch(
        "filters", True, "whether createStartDate or createEndDate alone will do as the filter that must be there"
    )
    missing_filter: Literal["400", "403", "404", "422", "500", "failed", "empty"] = switch(
        "filters", "400", "without a filter: an HTTP status, a failure with status 200, or no orders"
    )
    missing_filter_message: str | None = switch(
        "filters", None, "the message for a missing filter; none: that of the vendor's page"
    )
    all_keys: Literal["optional", "400", "500", "failed"] = switch(
        "filters", "optional", "whether every key of the page's example body must be there, and the failure without one"
    )
    cm_id_key: Literal["cmId", "cm_id"] = switch("filters", "cmId", "the key of the account's id")
    view_id: Literal["optional", "required", "refused"] = switch("filters", "optional", "whether viewId may be there")

    body: Literal["object", "list"] = switch(
        "body", "object", "whether the body is the JSON object or a list that holds it; the other is Invalid Json."
    )
    count_type: Literal["any", "text", "number"] = switch(
        "body", "any", "whether limit and offset must be strings or numbers; others get 400"
    )
