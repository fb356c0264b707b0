"""What the connection form shows: one table for every version of Airflow. Pure data, importable before Airflow is."""

from typing import Any, NamedTuple

CONNECTION_TYPE = "kapture"


class FormField(NamedTuple):
    """One key of the connection's extra, as the form asks for it.

    An untouched field is left out or stored as an empty string; both mean the default, which the help text tells.

    :param key: the key in the connection's extra
    :param label: what stands beside the field
    :param help_text: what it means, with its unit and its default
    :param type: the JSON type of its value
    :param choices: the values it may have, all of them where empty
    :param minimum: the least number it may be
    :param maximum: the greatest number it may be
    :param placeholder: an example, where the form has room for one
    :param required: whether a connection without it is an error
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


FIELDS = (
    FormField(
        "cm_id",
        "Account id (cmId)",
        "The number of your Kapture account, sent as cmId with each request. Kapture's support tells it.",
        type="integer",
        minimum=1,
        placeholder="1000298",
        required=True,
    ),
    FormField(
        "timezone",
        "Time zone of the account",
        "IANA name of the time zone in which Kapture reads and writes your account's dates. Default: Asia/Kolkata.",
        placeholder="Asia/Kolkata",
    ),
    FormField(
        "http_method",
        "HTTP method",
        "How orders are asked for. Default: POST.",
        choices=("POST", "GET"),
        placeholder="POST",
    ),
    FormField(
        "date_format",
        "Date format",
        "How dates are written in a request, as strftime writes it. Default: %Y-%m-%d.",
        placeholder="%Y-%m-%d",
    ),
    FormField(
        "end_date",
        "End date is",
        "Whether the orders of createEndDate's own day are part of the answer. Default: inclusive.",
        choices=("inclusive", "exclusive"),
        placeholder="inclusive",
    ),
    FormField(
        "max_days_per_request",
        "Widest range (days)",
        "The most days that one request asks for. Default: 1.",
        type="integer",
        minimum=1,
        placeholder="1",
    ),
    FormField(
        "paging",
        "Offset counts",
        "What the account's offset counts: rows, pages from 0, pages from 1, or none (every response holds all orders "
        "of the days). Default: rows.",
        choices=("rows", "pages", "pages_from_1", "none"),
        placeholder="rows",
    ),
    FormField(
        "page_size",
        "Page size (orders)",
        "The limit that each request asks for, from 2 to 10,000. Fewer may come back. Default: 500.",
        type="integer",
        minimum=2,
        maximum=10_000,
        placeholder="500",
    ),
    FormField(
        "max_concurrency",
        "Pages in flight",
        "The most pages that one pull asks for at the same time, from 1 to 32. Default: 4.",
        type="integer",
        minimum=1,
        maximum=32,
        placeholder="4",
    ),
    FormField(
        "requests_per_second",
        "Requests per second",
        "The ceiling of one pull, a number above 0. Default: none.",
        type="number",
        minimum=0,
        placeholder="5",
    ),
    FormField(
        "connect_timeout",
        "Connect time-out (seconds)",
        "The longest wait for a connection. Default: 10.",
        type="number",
        minimum=0,
        placeholder="10",
    ),
    FormField(
        "read_timeout",
        "Read time-out (seconds)",
        "The longest wait for the next bytes of an answer. Default: 60.",
        type="number",
        minimum=0,
        placeholder="60",
    ),
    FormField(
        "retry_budget",
        "Retry budget (seconds)",
        "The total time spent on retries of one page before the pull fails. Default: 600.",
        type="number",
        minimum=0,
        placeholder="600",
    ),
    FormField(
        "max_response_bytes",
        "Largest page (bytes)",
        "The most bytes that one page may unpack to. Default: 67108864, which is 64 MiB.",
        type="integer",
        minimum=1,
        placeholder="67108864",
    ),
    FormField(
        "verify",
        "Verify TLS",
        "true, false, or the path of a CA bundle on the workers. Default: true.",
        placeholder="true",
    ),
    FormField(
        "default_body",
        "Default body",
        'A JSON object, merged into the body of each request. Default: {"viewId": "2"}.',
        type="object",
        placeholder='{"viewId": "2"}',
    ),
    FormField(
        "empty_messages",
        "Messages that mean no orders",
        "Kapture's own messages that stand for an empty answer, a list of strings. Default: an empty list.",
        type="array",
        placeholder='["No orders found"]',
    ),
)

HIDDEN_FIELDS = ["schema"]
LABELS = {"host": "Subdomain", "login": "User", "password": "Password"}
PLACEHOLDERS = {
    "host": "acme, or acme.kapturecrm.com, or https://kapture.acme.in",
    "login": "The user of the Pull Order API",
    "password": "The password of the Pull Order API",
    # Airflow 3.3 tests a stored connection only where its port is filled in.
    "port": "443",
}


def _conn_field(field: FormField) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": field.type if field.required else [field.type, "null"]}
    if field.choices:
        schema["enum"] = list(field.choices)
    if field.type == "array":
        schema["items"] = {"type": "string"}
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    if field.maximum is not None:
        schema["maximum"] = field.maximum
    return {"label": field.label, "description": field.help_text, "schema": schema}


def get_conn_fields() -> dict[str, dict[str, Any]]:
    """Tell the form's fields the way `get_provider_info` does, which Airflow reads since 3.2."""
    return {field.key: _conn_field(field) for field in FIELDS}


def _widget(field: FormField) -> Any:
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import IntegerField, StringField
    from wtforms.validators import NumberRange, Optional, any_of

    # Optional comes first even on a required field: Airflow 2 checks the fields of every connection type at once.
    validators: list[Any] = [Optional()]
    if field.choices:
        validators.append(any_of(list(field.choices)))
    if field.type == "integer":
        validators.append(NumberRange(min=field.minimum, max=field.maximum))
    # Airflow takes no other fields than these two, passwords and booleans.
    field_class = IntegerField if field.type == "integer" else StringField
    return field_class(
        lazy_gettext(field.label), validators=validators, description=field.help_text, widget=BS3TextFieldWidget()
    )


def get_connection_form_widgets() -> dict[str, Any]:
    """Build the form's fields for Airflow before 3.2, which asks the hook for them.

    :raises ImportError: where wtforms or Flask-AppBuilder is missing; Airflow then shows no form
    """
    return {field.key: _widget(field) for field in FIELDS}


def get_ui_field_behaviour() -> dict[str, Any]:
    """Tell which of Airflow's own fields are hidden or renamed, and the examples, for Airflow before 3.2."""
    return {
        "hidden_fields": HIDDEN_FIELDS,
        "relabeling": LABELS,
        "placeholders": PLACEHOLDERS | {field.key: field.placeholder for field in FIELDS if field.placeholder},
    }
