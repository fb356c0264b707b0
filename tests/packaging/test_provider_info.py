"""What Airflow reads of the provider, and that all of it is there."""

import importlib
import pkgutil
from pathlib import Path

import airflow
import pytest

import airflow_provider_kapture
from airflow_provider_kapture.client.config.parsers import PARSERS
from airflow_provider_kapture.client.config.table import SETTINGS
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.connection_form import (
    FIELDS,
    LABELS,
    get_conn_fields,
    get_connection_form_widgets,
    get_ui_field_behaviour,
)
from airflow_provider_kapture.get_provider_info import get_provider_info

KINDS = ("hooks", "operators", "sensors", "triggers")
PACKAGE = Path(airflow_provider_kapture.__file__).parent


def declared_modules(kind):
    return {name for part in get_provider_info().get(kind, []) for name in part["python-modules"]}


def is_one_of(kind, module):
    """Whether a module has a hook, an operator, a sensor or a trigger of its own; others only help one that has."""
    base = {
        "hooks": "BaseHook",
        "operators": "BaseOperator",
        "sensors": "BaseSensorOperator",
        "triggers": "BaseTrigger",
    }
    classes = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    return any(base[kind] in {parent.__name__ for parent in each.__mro__} for each in classes)


@pytest.mark.parametrize("kind", KINDS)
def test_every_module_is_declared_and_every_declared_one_imports(kind):
    names = [f"airflow_provider_kapture.{kind}.{each.name}" for each in pkgutil.iter_modules([str(PACKAGE / kind)])]
    found = {name for name in names if is_one_of(kind, importlib.import_module(name))}
    assert found
    assert declared_modules(kind) == found


def test_hook_of_the_connection_type():
    [connection_type] = get_provider_info()["connection-types"]
    module, _, name = connection_type["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert hook.conn_type == connection_type["connection-type"] == "kapture"
    assert hook.hook_name == connection_type["hook-name"]
    assert hook.default_conn_name == "kapture_default"


def paths_in(value):
    """Every dotted path of this package that the declaration holds, wherever."""
    if isinstance(value, str):
        return [value] if value.startswith("airflow_provider_kapture.") else []
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [path for part in parts for path in paths_in(part)]


@pytest.mark.parametrize("path", sorted(set(paths_in(get_provider_info()))))
def test_every_path_leads_somewhere(path):
    pkgutil.resolve_name(path)


def test_airflow_accepts_the_declaration():
    from airflow.providers_manager import _create_provider_info_schema_validator

    _create_provider_info_schema_validator().validate(get_provider_info())


IN_FORM = ["cm_id", "auth", "timezone", "paging", "page_size", "max_concurrency", "requests_per_second"]


def test_the_table_has_each_setting_that_is_read():
    assert [setting.key for setting in SETTINGS] == list(PARSERS)


def test_the_form_has_the_settings_that_most_accounts_need():
    assert [field.key for field in FIELDS] == IN_FORM
    assert list(get_conn_fields()) == IN_FORM


@pytest.mark.parametrize("field", SETTINGS, ids=lambda field: field.key)
def test_field_says_what_it_means(field):
    assert field.label[0].isupper()
    assert field.help_text.endswith(".")
    assert field.required or "Default: " in field.help_text


@pytest.mark.parametrize("field", SETTINGS, ids=lambda field: field.key)
def test_example_choices_and_limits_are_read(field):
    limits = [limit for limit in (field.minimum, field.maximum) if field.type == "integer" and limit is not None]
    for value in (field.placeholder, *field.choices, *limits):
        PARSERS[field.key](field.key, value)


@pytest.mark.parametrize("field", [field for field in SETTINGS if field.type == "integer"], ids=lambda field: field.key)
def test_beyond_the_limits_is_refused(field):
    beyond = [field.minimum - 1] + ([] if field.maximum is None else [field.maximum + 1])
    for value in beyond:
        with pytest.raises(KaptureSettingsError):
            PARSERS[field.key](field.key, value)


def test_labels_are_of_fields_that_are_shown():
    behaviour = get_ui_field_behaviour()
    assert not set(LABELS) & set(behaviour["hidden_fields"])
    assert set(IN_FORM) <= set(behaviour["placeholders"])


def test_widgets_for_airflow_before_3_2():
    pytest.importorskip("flask_appbuilder")
    assert list(get_connection_form_widgets()) == IN_FORM


def test_airflow_2_stores_nothing_for_a_field_that_is_left_empty():
    pytest.importorskip("flask_appbuilder")
    from werkzeug.datastructures import MultiDict
    from wtforms import Form

    form = type("ConnectionForm", (Form,), get_connection_form_widgets())
    # It stores each value that is not empty text.
    untouched = form(MultiDict({**dict.fromkeys(IN_FORM, ""), "cm_id": "7"}))
    assert untouched.validate()
    assert {key: value for key, value in untouched.data.items() if value != ""} == {"cm_id": 7}


def test_airflow_3_0_and_3_1_show_the_fields_with_widgets_of_their_own():
    if not airflow.__version__.startswith(("3.0", "3.1")):
        pytest.skip("other versions have another form")
    if airflow.__version__.startswith("3.0"):
        # 3.1 stands in for a Flask-AppBuilder that is not installed; 3.0 then shows no fields of any provider.
        pytest.importorskip("flask_appbuilder")
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    [shown] = [each for each in HookMetaService.hook_meta_data() if each.connection_type == "kapture"]
    assert list(shown.extra_fields) == IN_FORM
