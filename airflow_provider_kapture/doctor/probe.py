"""What the doctor asks, and what it keeps of an answer: ids and instants, nothing else of an order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import msgspec

from airflow_provider_kapture.client.api import json_repair
from airflow_provider_kapture.client.api.failures import Response
from airflow_provider_kapture.client.api.keys import OrderKey
from airflow_provider_kapture.client.api.response import parse_response
from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.config.settings import Dialect
from airflow_provider_kapture.client.errors import KaptureError, KaptureRefusedError


@dataclass(frozen=True, slots=True)
class Probe:
    """One request.

    :param dialect: how to ask; its ``end_date`` is of no account, since both dates are sent as they are here
    :param first: createStartDate
    :param last: createEndDate
    :param offset: rows to pass over
    :param limit: rows to ask for; none for the dialect's ``page_size``
    """

    dialect: Dialect
    first: dt.date
    last: dt.date
    offset: int = 0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What an answer showed.

    :ivar keys: ids of the orders, as they were listed
    :ivar instants: their ``createDate`` in epoch milliseconds
    :ivar envelope: how the answer says that it is a success, where it does
    :ivar message: what the vendor says in it
    :ivar is_null: a success whose ``order_details`` is null or missing
    :ivar error: what the answer is instead of orders
    :ivar left: how many requests may still be made
    """

    keys: tuple[OrderKey, ...] = ()
    instants: tuple[int | None, ...] = ()
    envelope: str = ""
    message: str = ""
    is_null: bool = False
    error: KaptureError | None = None
    left: int = 0

    @property
    def status(self) -> int | None:
        """The HTTP status of a refusal; none where nothing was refused."""
        return self.error.status if isinstance(self.error, KaptureRefusedError) else None

    @property
    def is_answered(self) -> bool:
        """Orders, or the absence of them said in the way of the dialect that was asked in."""
        return self.error is None or self.is_null

    @property
    def needs_filter(self) -> bool:
        """A refusal that says that a filter is missing."""
        claims = self.message.lower()
        return self.status is not None and ("at least" in claims or "atleast" in claims)

    def refuses_like(self, other: ProbeResult) -> bool:
        """The same refusal in the same words, but for numbers and dates in them."""
        mine, others = self.error, other.error
        return (
            isinstance(mine, KaptureRefusedError)
            and isinstance(others, KaptureRefusedError)
            and (mine.status, mine.excerpt) == (others.status, others.excerpt)
        )


_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def to_probe_result(response: Response, account: Account, now: dt.datetime, left: int) -> ProbeResult:
    """What an answer shows; the orders themselves are let go."""
    envelope = _envelope(response)
    claims = {name: bytes(raw) for name, raw in envelope.items() if name in {"success", "status", "Status"}}
    claim = next((f'"{name}": {value.decode()}' for name, value in claims.items() if _is_success(value)), "")
    result = ProbeResult(
        envelope=claim,
        message=_text(envelope.get("message") or envelope.get("Message")),
        is_null=bool(claim) and response.status == 200 and bytes(envelope.get("order_details", b"null")) == b"null",
        left=left,
    )
    try:
        page = parse_response(response, account, now)
    except KaptureError as error:
        return replace(result, error=error)
    return replace(result, keys=tuple(page.keys), instants=tuple(page.instants))


def _envelope(response: Response) -> dict[str, msgspec.Raw]:
    body = response.body.removeprefix(b"\xef\xbb\xbf")
    try:
        return _OBJECTS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return {name: msgspec.Raw(json_repair.strict(value)) for name, value in json_repair.members(body)}
    except ValueError:
        return {}


def _is_success(value: bytes) -> bool:
    return value.strip(b'"').lower() in {b"true", b"success"}


def _text(raw: msgspec.Raw | None) -> str:
    value = msgspec.json.decode(raw) if raw is not None else ""
    return value.strip() if isinstance(value, str) else ""
