"""Recognise responses that mean "no orders" by connection extras ``empty_messages`` and ``empty_answers``. No I/O.

The settings are checked in `config/empty_answers.py`. Whether a window is empty is proven in `pull/empty_proof.py`.
"""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_kapture.client.api.envelope import failure_message
from airflow_provider_kapture.client.config.empty_answers import has_failure_words, has_order, is_match
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.words import is_listed

_MESSAGE_STATUSES = frozenset({200, 400, 404})
# A response without orders is small; a larger one is not searched.
_MAX_BYTES = 1 << 20


def is_known_empty(dialect: Dialect, status: int, body: bytes) -> bool:
    """Return whether a response means "no orders" according to the connection's settings.

    :param status: HTTP status
    :param body: body in UTF-8, without a byte order mark
    """
    if not (dialect.empty_messages or dialect.empty_answers) or len(body) > _MAX_BYTES:
        return False
    try:
        return _is_empty(dialect, status, body)
    except RecursionError:  # nested too deeply for a response that is known
        return False


def _is_empty(dialect: Dialect, status: int, body: bytes) -> bool:
    parsed = _parsed(body)
    if has_order(parsed) or has_failure_words(parsed) or not _has_no_rows(parsed, dialect):
        return False
    message = failure_message(body, dialect.rows_at)
    if is_listed(message, dialect.busy_messages):
        return False
    if status in _MESSAGE_STATUSES and is_listed(message, dialect.empty_messages):
        return True
    return any(is_match(each, status, parsed) for each in dialect.empty_answers)


def _has_no_rows(parsed: Any, dialect: Dialect) -> bool:
    """Return whether the place of the orders holds nothing, or a text."""
    for name in dialect.rows_at.split(".") if dialect.rows_at else ():
        parsed = parsed.get(name) if isinstance(parsed, dict) else None
    return not parsed or isinstance(parsed, str) or not dialect.rows_at


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
