"""Filters that tell who a customer is are hidden in logs and rendered fields, in whatever form they were given."""

from collections import UserList
from decimal import Decimal
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_provider_kapture.privacy import mask_personal


@pytest.mark.parametrize(
    "value",
    [
        *("191000001", "191000001.0", "191000001,191000002", 191000001, 191000001.0, Decimal(191000001)),
        *(["191000001"], (191000001.0,), {191000001}, UserList([[191000001]]), {191000001: 1}.keys()),
    ],
)
def test_an_id_is_masked_as_it_is_sent(mocker: MockerFixture, value: Any) -> None:
    masked = mocker.patch("airflow_provider_kapture.privacy.mask_secret")
    mask_personal({"customerIds": value})
    assert "191000001" in [call.args[0] for call in masked.call_args_list]
