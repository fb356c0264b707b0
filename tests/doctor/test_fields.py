"""What the doctor says of the fields of orders: values that do not fit, and types for fields without a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.config.fields import parse_fields
from airflow_provider_kapture.doctor.fields import FieldSurvey
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.run import diagnose
from airflow_provider_kapture.emulator import Book, Emulator, Switches
from airflow_provider_kapture.storage.encoders.formats import ENCODERS


def survey_of(orders: Sequence[bytes], **fields: str) -> FieldSurvey:
    survey = FieldSurvey.from_fields(parse_fields("fields", fields))
    survey.add(list(range(len(orders))), [msgspec.Raw(each) for each in orders])
    return survey


# Values of a field, and the type that is proposed for it.
PROPOSED = {
    "texts": (['"27AAPFU0939F1ZV"', '""'], "string"),
    "numbers as text, which may have leading zeros": (['"17"', '"560001"'], "string"),
    "numbers and texts": (["5", '"A5"'], "string"),
    "numbers, also as text": (["5", '"17"'], "integer"),
    "whole numbers": (["5", "-3", "null", "4.0"], "integer"),
    "zeros and ones": (["0", "1"], "integer"),
    "decimals": (["5", "12.50"], "decimal"),
    "decimals beyond six places": (["5", "0.1234567"], "string"),
    "flags": (["true", "false", "null"], "boolean"),
    "flags as text": (['"true"', '"false"'], "boolean"),
    "flags and numbers": (["true", "5"], "string"),
    "instants": (["1715106600000", "1715106600123"], "timestamp_ms"),
    "an instant and a number": (["1715106600000", "5"], "integer"),
    "a mobile number with its country": (["919876543210"], "integer"),
    "dates": (['"2024-05-08"', "null"], "date"),
    "dates and an empty text": (['"2024-05-08"', '""'], "string"),
    "texts and objects": (['"a"', '{"a":1}'], "string"),
    "objects": (['{"a":1}', "[1]"], None),
    "nulls": (["null", "null"], None),
}


@pytest.mark.parametrize(("values", "kind"), PROPOSED.values(), ids=PROPOSED)
def test_the_type_of_a_field_is_that_which_all_values_fit(values: list[str], kind: str | None) -> None:
    survey = survey_of([f'{{"id":7,"attr1":{value}}}'.encode() for value in values])
    assert survey.proposed() == ({} if kind is None else {"attr1": kind})


def test_a_name_that_cannot_be_a_column_is_not_proposed() -> None:
    names = ["_rescued", "create_date", "ID", "Attr1", "attr1", "n" * 129, "", "attr2"]
    order = msgspec.json.encode(dict.fromkeys(names, "x"))
    assert survey_of([order]).proposed() == {"attr2": "string"}


def test_values_that_do_not_fit_are_counted_once_for_each_order() -> None:
    orders = [
        b'{"id":1,"discount":"Rs 5","own":7}',
        b'{"id":2,"discount":1,"cess":1,"cess":2,"own":"8"}',
        b'{"id":"x"}',
    ]
    survey = survey_of(orders, own="string")
    survey.add([0, 1, 2], [msgspec.Raw(each) for each in orders])
    found = survey.finding()
    assert found is not None
    assert (found.answer, found.is_good, found.settings) == ("not all fit", False, {})
    assert found.evidence.startswith("of 3 orders")
    for counted in ("discount: 1", "cess: 1", "own: 1", "id: 1"):
        assert counted in found.evidence
    assert "Rs" not in found.evidence


@pytest.mark.parametrize("order", [b'{"id":1,"cess":"x","unitId":1.5,"cess":2}', b'{"id":1,"own":NaN,"cess":"1"}'])
def test_what_does_not_fit_is_what_the_files_set_aside(order: bytes, tmp_path: Any) -> None:
    fields = parse_fields("fields", {"own": "string"})
    with (tmp_path / "orders.csv").open("wb") as sink:
        encoder = ENCODERS["csv"](sink, fields)
        encoder.write([msgspec.Raw(order)])
        encoder.close()
    survey = FieldSurvey.from_fields(fields)
    survey.add([1], [msgspec.Raw(order)])
    assert +survey._misfits == encoder.report.rescued


def test_what_is_configured_stays_in_what_is_proposed() -> None:
    found = survey_of([b'{"id":1,"own":"7","attr1":true}'], own="integer").finding()
    assert found is not None
    assert found.settings == {"fields": {"own": "integer", "attr1": "boolean"}}
    assert found.is_good


def diagnosed(switches: Switches, **extra: Any) -> tuple[Finding, Any]:
    with Emulator(Book(orders=60, days=3), switches=switches) as kapture:
        account = Account.from_connection(
            kapture.origin, kapture.user, kapture.password, {"cm_id": kapture.cm_id, **extra}
        )
        report = diagnose(account, kapture.book.start)
    [finding] = [each for each in report.findings if each.question == "fields"]
    return finding, report


def test_the_doctor_proposes_fields_of_the_orders_that_it_reads() -> None:
    finding, report = diagnosed(Switches(unknown_fields=True))
    assert report.recommended["fields"] == {"orderScore": "decimal"}
    assert "orderScore (decimal)" in finding.evidence
    assert report.trusted


def test_an_account_with_its_fields_configured_is_recommended_no_others() -> None:
    finding, report = diagnosed(Switches(unknown_fields=True), fields={"orderScore": "decimal"})
    assert (finding.answer, report.recommended["fields"]) == ("all fit", {"orderScore": "decimal"})
    assert "fields" not in report.changes


def test_misfits_do_not_make_a_pull_less_trusted() -> None:
    finding, report = diagnosed(Switches(nan=True))
    assert "productValue" in finding.evidence
    assert not finding.is_good
    assert report.trusted
