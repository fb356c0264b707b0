"""When a name that is not found counts as one that does not exist."""

from __future__ import annotations

import pytest

from airflow_provider_kapture.client.errors import KaptureTransportError, KaptureUnknownHostError
from airflow_provider_kapture.client.transport.lookups import Lookups


@pytest.mark.parametrize(
    ("failures", "is_unknown"),
    [
        ([(0, "name"), (5, "name")], False),
        ([(0, "name"), (11, "name")], False),
        ([(0, "name"), (5, "name"), (9.9, "name")], False),
        ([(0, "name"), (5, "name"), (10, "name")], True),
        ([(0, "name"), (1, "name"), (2, "name"), (10, "name")], True),
        ([(0, "name"), (5, "resolver"), (10, "name"), (15, "name")], False),
        ([(0, "name"), (5, "refused"), (10, "name"), (15, "name"), (20, "name")], True),
        ([(0, "resolver"), (5, "resolver"), (10, "resolver")], False),
    ],
)
@pytest.mark.parametrize("is_answered", [False, True])
def test_a_name_does_not_exist_after_three_lookups_over_ten_seconds(
    failures: list[tuple[float, str]], is_unknown: bool, is_answered: bool
) -> None:
    now = 0.0
    lookups = Lookups("kapture.invalid", lambda: now)
    if is_answered:
        lookups.answered()
    judged = []
    for now, reason in failures:  # noqa: B007 - the clock reads it
        error = KaptureTransportError("not found", reason=reason)
        judged.append(lookups.classify(error))
        assert judged[-1].reason == reason
    kinds = [type(each) is KaptureUnknownHostError for each in judged]
    assert kinds == [*[False] * (len(failures) - 1), is_unknown and not is_answered]
