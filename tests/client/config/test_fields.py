"""Connection extra ``fields``: what may stand there, and what an error names."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.client.orders import DATE_COLUMNS, ORDER_FIELDS, FieldType


def fields_of(fields: Any) -> Any:
    return Account.from_connection("acme", "me", "pass", {"cm_id": 1, "fields": fields}).dialect.fields


GIVEN = {"attr9": "string", "attr1": "decimal", "ग्राहक": "date", "slot time": "timestamp_ms", "n" * 128: "boolean"}


def test_fields_keep_their_order() -> None:
    assert list(fields_of({**GIVEN, "count": "integer"}).items()) == [
        *((name, FieldType(kind)) for name, kind in GIVEN.items()),
        ("count", FieldType.INTEGER),
    ]


def test_there_are_six_types() -> None:
    assert sorted(FieldType) == ["boolean", "date", "decimal", "integer", "string", "timestamp_ms"]


def test_fields_may_be_text_as_the_form_stores_it() -> None:
    assert fields_of('{"attr1": "string"}') == {"attr1": "string"}


WRONG = {
    "a list": (["attr1"], "must be a JSON object"),
    "a text": ("attr1", "must be a JSON object"),
    "a number": (5, "must be a JSON object"),
    "an unknown type": ({"attr1": "text"}, "'text' for 'attr1'; the types are"),
    "a type with capitals": ({"attr1": "String"}, "did you mean 'string'"),
    "an empty type": ({"attr1": ""}, "'' for 'attr1'"),
    "a type that is no text": ({"attr1": ["string"]}, "for 'attr1'"),
    "no type": ({"attr1": None}, "None for 'attr1'"),
    "an empty name": ({"": "string"}, "is empty"),
    "a line break in a name": ({"attr\n1": "string"}, "a column's name cannot have"),
    "a quotation mark in a name": ({'attr"1': "string"}, "a column's name cannot have"),
    "a backslash in a name": ({"attr\\1": "string"}, "a column's name cannot have"),
    "half of a character in a name": ({"attr\ud83d": "string"}, "a column's name cannot have"),
    "a long name": ({"n" * 129: "string"}, "longer than 128"),
    "names that are equal but for case": ({"Attr1": "string", "attr1": "string"}, "'attr1', which is there twice"),
    **{f"the field {name}": ({name: "integer"}, "a documented field") for name in ("id", *list(ORDER_FIELDS)[-3:])},
    "a documented field in capitals": ({"CREATEDATE": "date"}, "a documented field"),
    **{f"the column {name}": ({name: "string"}, "anyway") for name in ("_rescued", "_op", "_seen_at", "_OP")},
    **{f"the folder {name}": ({name: "date"}, "the name of a folder") for name in DATE_COLUMNS.values()},
    "a folder in capitals": ({"Create_Date": "date"}, "the name of a folder"),
}


@pytest.mark.parametrize(("fields", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_a_column_is_an_error(fields: Any, words: str) -> None:
    with pytest.raises(KaptureSettingsError, match="`fields`") as caught:
        fields_of(fields)
    assert words in str(caught.value)


def test_the_folders_of_days_have_names_in_snake_case() -> None:
    assert DATE_COLUMNS["create"] == "create_date"
    assert DATE_COLUMNS["nextFollowup"] == "next_followup_date"
