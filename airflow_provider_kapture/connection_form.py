"""The connection form, for every version of Airflow. Importable without Airflow.

The fields' labels and help texts are in `client/config/table.py`; the hook hands the form to Airflow before 3.2, and
`get_provider_info.py` to later versions.
"""

from typing import Any

from airflow_provider_kapture.client.config.table import SETTINGS, Setting

CONNECTION_TYPE = "kapture"


# Settings that most accounts need; the others are pasted into Extra JSON.
FIELDS = tuple(setting for setting in SETTINGS if setting.in_form)

HIDDEN_FIELDS = ["schema"]
LABELS = {
    "host": "Subdomain",
    "login": "User",
    "password": "Password",
    # Airflow 3.3 sends port 0 when it tests a stored connection without a port, and then refuses it. Hiding the field
    # does not help: the connection is still stored without one. Since 3.2 the form does not show placeholders.
    "port": "Port (enter 443, which Test needs)",
}
PLACEHOLDERS = {
    "host": "acme, or acme.kapturecrm.com, or https://kapture.acme.in",
    "login": "reader; empty for a key or token",
    "password": "the password, or the key or token that Kapture issued",
    "port": "443",
}


def _conn_field(field: Setting) -> dict[str, Any]:
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
    """Return the form's fields in the format of `get_provider_info`, which Airflow reads since 3.2."""
    return {field.key: _conn_field(field) for field in FIELDS}


def _leave_out(_form: Any, field: Any) -> None:
    """Make an empty number empty text, which is all that Airflow 2 does not store.

    A validator, and no `filters`: Airflow 3.0 and 3.1 put fields of their own in the place of wtforms', without that.
    """
    if field.data is None:
        field.data = ""


def _widget(field: Setting) -> Any:
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import IntegerField, StringField
    from wtforms.validators import NumberRange, Optional, any_of

    # Optional even on a required field: Airflow 2 validates the fields of every connection type together.
    validators: list[Any] = [_leave_out, Optional()]
    if field.choices:
        validators.append(any_of(list(field.choices)))
    if field.type == "integer":
        validators.append(NumberRange(min=field.minimum, max=field.maximum))
    # Airflow supports only these two, password fields and booleans.
    field_class = IntegerField if field.type == "integer" else StringField
    return field_class(
        lazy_gettext(field.label),
        validators=validators,
        description=field.help_text,
        widget=BS3TextFieldWidget(),
    )


def get_connection_form_widgets() -> dict[str, Any]:
    """Return the form's fields as widgets, for Airflow before 3.2, which gets them from the hook.

    :raises ImportError: wtforms or Flask-AppBuilder is missing; Airflow then shows no form
    """
    return {field.key: _widget(field) for field in FIELDS}


def get_ui_field_behaviour() -> dict[str, Any]:
    """Return the hidden and renamed fields of Airflow and the placeholders, for Airflow before 3.2."""
    return {
        "hidden_fields": HIDDEN_FIELDS,
        "relabeling": LABELS,
        "placeholders": PLACEHOLDERS | {field.key: field.placeholder for field in FIELDS if field.placeholder},
    }
