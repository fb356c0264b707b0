"""Each setting has a switch of the emulator, an account among the readings that needs it, and a row in the docs."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from account_readings import READINGS

from airflow_provider_kapture.client.config.table import SETTINGS
from airflow_provider_kapture.emulator import Switches

# The switches of the emulator that make an account need a setting.
SWITCHES_OF: dict[str, set[str]] = {
    "auth": {"auth"},
    "headers": {"required_headers", "user_agent"},
    "timezone": {"timezone"},
    "http_method": {"method"},
    "date_format": {"date_format"},
    "end_date": {"end_date"},
    "max_days_per_request": {"max_days"},
    "control_day": {"recent_days"},
    "paging": {"paging"},
    "page_size": {"over_cap", "page_cap"},
    "max_concurrency": {"max_in_flight"},
    "requests_per_second": {"max_per_second"},
    "read_timeout": {"latency"},
    "retry_budget": {"status_every"},
    "max_response_bytes": {"bomb"},
    "default_body": {"window_is_filter", "view_id"},
    "body_format": {"body"},
    "rows_at": {"rows_at"},
    "empty_messages": {"empty_message"},
    "empty_answers": {"empty"},
    "busy_messages": {"too_fast_message"},
    "fields": {"unknown_fields"},
}
# Not a matter of how an account reads the page.
OF_THE_NETWORK = {"cm_id", "connect_timeout", "verify"}


def test_each_setting_has_a_switch_that_makes_an_account_need_it() -> None:
    assert SWITCHES_OF.keys() | OF_THE_NETWORK == {setting.key for setting in SETTINGS}
    assert not SWITCHES_OF.keys() & OF_THE_NETWORK
    assert set().union(*SWITCHES_OF.values()) <= {field.name for field in fields(Switches)}


@pytest.mark.parametrize("setting", SWITCHES_OF)
def test_each_setting_has_an_account_that_needs_it_among_the_readings(setting: str) -> None:
    used = set().union(*({*reading.switches, *reading.book} for reading in READINGS))
    assert SWITCHES_OF[setting] <= used


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_each_setting_has_a_row_in_the_docs(setting) -> None:
    page = (Path(__file__).parents[1] / "docs" / "connection.md").read_text(encoding="utf-8")
    assert len(re.findall(rf"^\| `{setting.key}` \|", page, re.MULTILINE)) == 1
