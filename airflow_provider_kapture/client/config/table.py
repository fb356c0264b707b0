"""The keys of the connection's extra as people see them: label, help text, limits, and whether the form shows them.

Values are parsed in `parsers.py`; types and defaults for the program are in `settings.py`.
"""

from __future__ import annotations

from typing import NamedTuple


class Setting(NamedTuple):
    """One key of the connection's extra.

    The form leaves out an untouched field or stores an empty string. Both mean the default, which the help text states.

    :param key: key in the connection's extra
    :param label: name in the form
    :param help_text: meaning, with an example, the unit and the default
    :param type: JSON type of the value
    :param choices: allowed values; empty for any
    :param minimum: lowest allowed number
    :param maximum: highest allowed number
    :param placeholder: example in the empty field
    :param required: whether a connection without it is an error
    :param in_form: whether the connection form has a field for it; the others are pasted into Extra JSON
    :param questions: the doctor's questions that find it out; empty if no request can show it
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
    questions: tuple[str, ...] = ()


SETTINGS = (
    Setting(
        "cm_id",
        "Account id (cmId)",
        "Id of your Kapture account, sent as cmId with each request, such as 1000298. Ask Kapture's support for it.",
        type="integer",
        minimum=1,
        placeholder="1000298",
        required=True,
        in_form=True,
    ),
    Setting(
        "auth",
        "Kind of credentials",
        "basic: login and password. key: an issued key, such as 48 letters and digits, in Password; leave User empty. "
        "token: an encoded key, often ending in =, in Password. Default: derived from the fields that are filled in.",
        choices=("basic", "token", "key"),
        placeholder="key",
        in_form=True,
        questions=("credentials",),
    ),
    Setting(
        "headers",
        "More headers",
        'More headers for every request, a JSON object, such as {"x-api-key": "{token}"}. {token} and {password} are '
        "replaced by the credentials. Default: {}.",
        type="object",
        placeholder='{"x-api-key": "{token}"}',
    ),
    Setting(
        "timezone",
        "Time zone of the account",
        "Time zone of your account's dates, an IANA name such as Asia/Dubai. Default: Asia/Kolkata.",
        placeholder="Asia/Kolkata",
        in_form=True,
        questions=("time zone",),
    ),
    Setting(
        "http_method",
        "HTTP method",
        "HTTP method of the request, such as GET. Default: POST.",
        choices=("POST", "GET"),
        placeholder="POST",
        questions=("method",),
    ),
    Setting(
        "date_format",
        "Date format",
        "Date format of the request (strftime), such as %d/%m/%Y for 08/05/2024. Default: %Y-%m-%d.",
        placeholder="%Y-%m-%d",
        questions=("date format",),
    ),
    Setting(
        "end_date",
        "End date is",
        "Whether the response contains the orders of the end date itself. With exclusive, a request from 8 to 9 May "
        "returns the orders of 8 May. Default: inclusive.",
        choices=("inclusive", "exclusive"),
        placeholder="inclusive",
        questions=("end date",),
    ),
    Setting(
        "max_days_per_request",
        "Widest range (days)",
        "The most days that one request covers, such as 7. Default: 1.",
        type="integer",
        minimum=1,
        placeholder="1",
        questions=("widest range",),
    ),
    Setting(
        "control_day",
        "Control day",
        "A past day that has orders, such as 2024-05-08. It proves that windows without orders are empty, for accounts "
        "where a query finds no such day. Default: none.",
        placeholder="2024-05-08",
        questions=("control day",),
    ),
    Setting(
        "paging",
        "Offset counts",
        "What offset counts: rows, pages (numbered from 0) or pages_from_1. The second page of 500 orders is at 500, 1 "
        "or 2. none: every response contains all orders of the requested days. Default: rows.",
        choices=("rows", "pages", "pages_from_1", "none"),
        placeholder="rows",
        in_form=True,
        questions=("offset",),
    ),
    Setting(
        "page_size",
        "Page size (orders)",
        "The limit of each request, from 2 to 10,000, such as 100. The account may return fewer. Default: 500.",
        type="integer",
        minimum=2,
        maximum=10_000,
        placeholder="500",
        in_form=True,
        questions=("page cap",),
    ),
    Setting(
        "max_concurrency",
        "Concurrent requests",
        "The most concurrent requests of one pull, from 1 to 32, such as 2 for a slow account. Default: 4.",
        type="integer",
        minimum=1,
        maximum=32,
        placeholder="4",
        in_form=True,
    ),
    Setting(
        "requests_per_second",
        "Requests per second",
        "Rate limit of one pull, a number above 0, such as 5 or 0.5. Default: none.",
        type="number",
        minimum=0,
        placeholder="5",
        in_form=True,
        questions=("pace",),
    ),
    Setting(
        "connect_timeout",
        "Connect time-out (seconds)",
        "Seconds until a connection must be established, such as 5. Default: 10.",
        type="number",
        minimum=0,
        placeholder="10",
    ),
    Setting(
        "read_timeout",
        "Read time-out (seconds)",
        "Seconds without a byte of the response until a request fails, such as 120. Default: 60.",
        type="number",
        minimum=0,
        placeholder="60",
    ),
    Setting(
        "retry_budget",
        "Retry budget (seconds)",
        "Seconds of retries of one page until the pull fails, such as 1800. Default: 600.",
        type="number",
        minimum=0,
        placeholder="600",
    ),
    Setting(
        "max_response_bytes",
        "Largest page (bytes)",
        "The largest decompressed response, such as 134217728 (128 MiB). Default: 67108864 (64 MiB).",
        type="integer",
        minimum=1,
        placeholder="67108864",
    ),
    Setting(
        "verify",
        "Verify TLS",
        "true, false, or the path of a CA bundle on the workers, such as /etc/ssl/proxy.pem. Default: true.",
        placeholder="true",
    ),
    Setting(
        "default_body",
        "Default body",
        'Keys for the body of each request, an object such as {"viewId": "2", "zoneIdStr": "7"}. null leaves a key '
        'out. Default: {"viewId": "2"}.',
        type="object",
        placeholder='{"viewId": "2"}',
        questions=("filter", "body"),
    ),
    Setting(
        "body_format",
        "Body is",
        'Request body: object, such as {"cmId": 1}, or list, such as [{"cmId": 1}]. Default: object.',
        choices=("object", "list"),
        placeholder="object",
        questions=("body",),
    ),
    Setting(
        "rows_at",
        "Orders are at",
        "Path of the list of orders in a response, such as response.orders; empty if the response is the list. "
        "Default: order_details.",
        placeholder="order_details",
        questions=("envelope",),
    ),
    Setting(
        "empty_messages",
        "Messages that mean no orders",
        'Messages of Kapture that mean "no orders", a list of strings, such as ["No orders found"]. Default: [].',
        type="array",
        placeholder='["No orders found"]',
    ),
    Setting(
        "empty_answers",
        "Responses that mean no orders",
        'Responses that mean "no orders", a list of objects, such as [{"status": 404, "message": "No data found"}]. A '
        "response matches if it has every key and value of one object. Default: [].",
        type="array",
        placeholder='[{"status": 404, "message": "No data found"}]',
        questions=("empty day",),
    ),
    Setting(
        "busy_messages",
        "Messages of a busy server",
        'Messages of Kapture that mean "too many requests", a list of strings, such as ["Please wait"]. Default: [].',
        type="array",
        placeholder='["Please wait"]',
    ),
    Setting(
        "fields",
        "Own fields",
        "The account's own fields, which become columns of CSV and Parquet, an object of names and types, such as "
        '{"attr1": "string"}. Types: string, integer, decimal, boolean, timestamp_ms, date. Default: {}.',
        type="object",
        placeholder='{"attr1": "string"}',
        questions=("fields",),
    ),
)
