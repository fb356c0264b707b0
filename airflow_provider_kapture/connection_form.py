"""What the connection form shows: one table for every version of Airflow. Pure data, importable before Airflow is."""

from typing import Any

from airflow_provider_kapture.client.config.table import SETTINGS, Setting

CONNECTION_TYPE = "kapture"


# The settings that most accounts need; the others are pasted into Extra JSON.
FIELDS = tuple(setting for setting in SETTINGS if setting.in_form)

HIDDEN_FIELDS = ["schema"]
LABELS = {"host": "Subdomain", "login": "User", "password": "Password"}
PLACEHOLDERS = {
    "host": "acme, or acme.kapturecrm.com, or https://kapture.acme.in",
    "login": "The user of the Pull Order API; empty if Kapture issued a key or token",
    "password": "The password of the user, or the key or token that Kapture issued",
    # Airflow 3.3 tests a stored connection only where its port is filled in.
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
    """Tell the form's fields the way `get_provider_info` does, which Airflow reads since 3.2."""
    return {field.key: _conn_field(field) for field in FIELDS}


def _widget(field: Setting) -> Any:
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
