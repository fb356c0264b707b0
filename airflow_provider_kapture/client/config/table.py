"""Every key of the connection's extra: its type, its help text and where it is shown. Values are read in parsers.py."""

from __future__ import annotations

from typing import NamedTuple


class Setting(NamedTuple):
    """One key of the connection's extra.

    An untouched field of the form is left out or stored as an empty string; both mean the default, which the help text
    gives.

    :param key: the key in the connection's extra
    :param label: its name in the form
    :param help_text: what it means, with its unit and its default
    :param type: the JSON type of its value
    :param choices: the values it may have, all of them where empty
    :param minimum: the least number it may be
    :param maximum: the greatest number it may be
    :param placeholder: an example
    :param required: whether a connection without it is an error
    :param in_form: whether the connection form has a field for it; the others are pasted into Extra JSON
    """

    key: str
    label: str
    help_text: str
    type: str = "string"
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    placeholder: str = ""
    required: bool = False
    in_form: bool = False


SETTINGS = (
    Setting(
        "cm_id",
        "Account id (cmId)",
        "The number of your Kapture account, sent as cmId with each request. Kapture's support tells it.",
        type="integer",
        minimum=1,
        placeholder="1000298",
        required=True,
        in_form=True,
    ),
    Setting(
        "auth",
        "Kind of credentials",
        "basic (login and password), token (sent after Basic as it is) or key (an issued key). Default: derived; basic "
        "with both fields, with one of them token where it is base64, else key.",
        choices=("basic", "token", "key"),
        placeholder="key",
        in_form=True,
    ),
    Setting(
        "headers",
        "More headers",
        "A JSON object of headers for every request; {token} and {password} stand for the credentials. Default: {}.",
        type="object",
        placeholder='{"x-api-key": "{token}"}',
    ),
    Setting(
        "timezone",
        "Time zone of the account",
        "IANA name of the time zone in which Kapture reads and writes your account's dates. Default: Asia/Kolkata.",
        placeholder="Asia/Kolkata",
        in_form=True,
    ),
    Setting(
        "http_method",
        "HTTP method",
        "How orders are asked for. Default: POST.",
        choices=("POST", "GET"),
        placeholder="POST",
    ),
    Setting(
        "date_format",
        "Date format",
        "How dates are written in a request, as strftime writes it. Default: %Y-%m-%d.",
        placeholder="%Y-%m-%d",
    ),
    Setting(
        "end_date",
        "End date is",
        "Whether the orders of createEndDate's own day are part of the answer. Default: inclusive.",
        choices=("inclusive", "exclusive"),
        placeholder="inclusive",
    ),
    Setting(
        "max_days_per_request",
        "Widest range (days)",
        "The most days that one request asks for. Default: 1.",
        type="integer",
        minimum=1,
        placeholder="1",
    ),
    Setting(
        "control_day",
        "Control day",
        "A past day that has orders, for accounts where none can be found by a query. Default: none.",
        placeholder="2024-05-08",
    ),
    Setting(
        "paging",
        "Offset counts",
        "What the account's offset counts: rows, pages from 0, pages from 1, or none (every response holds all orders "
        "of the days). Default: rows.",
        choices=("rows", "pages", "pages_from_1", "none"),
        placeholder="rows",
        in_form=True,
    ),
    Setting(
        "page_size",
        "Page size (orders)",
        "The limit that each request asks for, from 2 to 10,000. Fewer may come back. Default: 500.",
        type="integer",
        minimum=2,
        maximum=10_000,
        placeholder="500",
        in_form=True,
    ),
    Setting(
        "max_concurrency",
        "Pages in flight",
        "The most pages that one pull asks for at the same time, from 1 to 32. Default: 4.",
        type="integer",
        minimum=1,
        maximum=32,
        placeholder="4",
        in_form=True,
    ),
    Setting(
        "requests_per_second",
        "Requests per second",
        "The ceiling of one pull, a number above 0. Default: none.",
        type="number",
        minimum=0,
        placeholder="5",
        in_form=True,
    ),
    Setting(
        "connect_timeout",
        "Connect time-out (seconds)",
        "The longest wait for a connection. Default: 10.",
        type="number",
        minimum=0,
        placeholder="10",
    ),
    Setting(
        "read_timeout",
        "Read time-out (seconds)",
        "The longest wait for the next bytes of an answer. Default: 60.",
        type="number",
        minimum=0,
        placeholder="60",
    ),
    Setting(
        "retry_budget",
        "Retry budget (seconds)",
        "The total time spent on retries of one page before the pull fails. Default: 600.",
        type="number",
        minimum=0,
        placeholder="600",
    ),
    Setting(
        "max_response_bytes",
        "Largest page (bytes)",
        "The most bytes that one page may unpack to. Default: 67108864, which is 64 MiB.",
        type="integer",
        minimum=1,
        placeholder="67108864",
    ),
    Setting(
        "verify",
        "Verify TLS",
        "true, false, or the path of a CA bundle on the workers. Default: true.",
        placeholder="true",
    ),
    Setting(
        "default_body",
        "Default body",
        'A JSON object, merged into the body of each request. Default: {"viewId": "2"}.',
        type="object",
        placeholder='{"viewId": "2"}',
    ),
    Setting(
        "body_format",
        "Body is",
        "Whether the body is the JSON object, or a list that holds it. Default: object.",
        choices=("object", "list"),
        placeholder="object",
    ),
    Setting(
        "rows_at",
        "Orders are at",
        "The dotted path of the list of orders in a response; empty if the response is the list. Default: "
        "order_details.",
        placeholder="order_details",
    ),
    Setting(
        "empty_messages",
        "Messages that mean no orders",
        "Kapture's own messages that stand for an empty answer, a list of strings. Default: an empty list.",
        type="array",
        placeholder='["No orders found"]',
    ),
    Setting(
        "empty_answers",
        "Responses that mean no orders",
        "A list of objects; a response that has every key of one of them means that there are no orders. Default: [].",
        type="array",
        placeholder='[{"status": 404, "message": "No data found"}]',
    ),
    Setting(
        "busy_messages",
        "Messages of a busy server",
        "Kapture's own messages that mean too many requests, under any status. Default: [].",
        type="array",
        placeholder='["Please wait"]',
    ),
)
