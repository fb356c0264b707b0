"""What the doctor keeps of a response: ids, instants and fields of orders, and a small response without any. Pure."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

from airflow_provider_kapture.client.api.envelope import claims_of, message_of, parse_envelope, to_utf8
from airflow_provider_kapture.client.api.failures import Response, redirect_host
from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.api.redaction import without_secrets
from airflow_provider_kapture.client.api.response import Page, parse_response
from airflow_provider_kapture.client.api.rows import paths_of_orders
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.pull.date_checks import missing_instant_error
from airflow_provider_kapture.doctor.probe import ProbeResult

# Responses without orders are small; more of one is not kept.
_MAX_BODY_BYTES = 2_000


def to_probe_result(
    response: Response, account: Account, now: dt.datetime, left: int, *, has_answered: bool = False
) -> ProbeResult:
    """Return what a response shows.

    :param has_answered: whether Kapture has answered with a page before
    """
    text = _text(response)
    result = ProbeResult(
        status=response.status,
        claim=_claim(text),
        message=_message(text, account),
        is_elsewhere=redirect_host(response) not in ("", account.host),
        left=left,
    )
    try:
        page = parse_response(response, account, now, has_answered=has_answered)
    except KaptureError as error:
        return _without_page(replace(result, error=error), response, text, account, now)
    if not page.keys:
        return replace(result, body=_small(text, account))
    return _with_page(result, page)


def _with_page(result: ProbeResult, page: Page) -> ProbeResult:
    instants = tuple(page.instants)
    instant_error = str(missing_instant_error(page)) if None in instants else ""
    different: dict[OrderKey, bytes] = {}
    has_lines = any(
        different.setdefault(key, bytes(raw)) != bytes(raw) for key, raw in zip(page.keys, page.raws, strict=True)
    )
    return replace(
        result,
        keys=tuple(page.keys),
        instants=instants,
        raws=tuple(page.raws),
        instant_error=instant_error,
        has_lines=has_lines,
    )


def _without_page(
    result: ProbeResult, response: Response, text: bytes, account: Account, now: dt.datetime
) -> ProbeResult:
    """Return the result of a response that holds no page at the dialect's path; another path may hold one."""
    paths = paths_of_orders(text) if response.status == 200 else []
    if len(paths) == 1 and paths[0] != account.dialect.rows_at:
        other = replace(account, dialect=replace(account.dialect, rows_at=paths[0]))
        try:
            page = parse_response(response, other, now)
        except KaptureError as error:
            return replace(result, error=error, rows_at=paths[0])
        return replace(_with_page(result, page), error=None, rows_at=paths[0])
    return replace(result, body=_small(text, account))


def _text(response: Response) -> bytes:
    try:
        return to_utf8(response.body, response.headers)
    except UnicodeDecodeError:
        return b""


def _small(text: bytes, account: Account) -> Any:
    """Return what a response without orders says; nothing of one that is long, or repeats a secret."""
    if len(text) > _MAX_BODY_BYTES:
        return "<…" if text.lstrip().startswith(b"<") else None
    words = text.decode(errors="replace")
    if without_secrets(words, account) != words:
        return None
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        return words


def _claim(text: bytes) -> str:
    """Return how a response says that it is a success."""
    try:
        envelope = parse_envelope(text)
    except (ValueError, RecursionError):
        return ""
    for name, value in envelope:
        if name.lower() in ("success", "status", "code") and claims_of([(name, value)]) == [True]:
            return f'"{name}": {json.dumps(value)}'
    return ""


def _message(text: bytes, account: Account) -> str:
    try:
        return message_of(parse_envelope(text), account.dialect.rows_at)
    except (ValueError, RecursionError):
        return ""
