"""What the files of a pull have set aside, as the user is told: an error, a WARNING or an INFO line.

It is counted by the encoders, in ``encoders.report``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from airflow_provider_kapture.client.errors import KaptureSettingsError
from airflow_provider_kapture.storage.encoders.report import Report

log = logging.getLogger(__name__)

# The most names in one log line.
_MAX_NAMES = 50


def check_misfits(report: Report, on_misfit: str) -> dict[str, int]:
    """Return the number of orders of a file whose values did not fit, by field.

    :raises KaptureSettingsError: there are some, and ``on_misfit`` is ``fail``
    """
    rescued = dict(sorted(report.rescued.items()))
    if rescued and on_misfit == "fail":
        raise KaptureSettingsError(
            f"Values do not fit their columns ({_describe(rescued)}), and `on_misfit` is 'fail'; nothing of this file "
            "was published. Set `on_misfit` to 'keep' to have them in `_rescued`"
        )
    return rescued


def log_set_aside(unknown: set[str], rescued: Mapping[str, int]) -> None:
    """Log the fields without a column, and warn of values that do not fit theirs.

    :param unknown: names of the fields
    :param rescued: number of orders by field
    """
    if unknown:
        names = sorted(unknown)
        more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
        log.info("Fields without a column are in `_rescued`: %s%s", ", ".join(map(ascii, names[:_MAX_NAMES])), more)
    if rescued:
        log.warning(
            "Values that do not fit their columns are in `_rescued`: %s; `on_misfit` is 'keep'", _describe(rescued)
        )


def _describe(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count:,} order{'' if count == 1 else 's'}" for name, count in counts.items())
