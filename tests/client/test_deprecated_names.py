"""Names that were public before still work, and warn."""

import pytest

from airflow_provider_kapture.client import Account
from airflow_provider_kapture.client.errors import KaptureAuthError, KaptureBusyError

FIELDS = ("acme", "me", "secret", {"cm_id": 1})


def test_account_of_is_from_connection():
    with pytest.warns(DeprecationWarning, match="from_connection"):
        account = Account.of(*FIELDS)
    assert account == Account.from_connection(*FIELDS)


@pytest.mark.parametrize(("error", "expected"), [(KaptureAuthError("x"), True), (KaptureBusyError("x"), False)])
def test_hopeless_is_permanent(error, expected):
    with pytest.warns(DeprecationWarning, match="permanent"):
        assert error.hopeless is expected
    assert error.permanent is expected
