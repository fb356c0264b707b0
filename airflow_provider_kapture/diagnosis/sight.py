"""What the doctor asks, and what it keeps of an answer: ids and instants, nothing else of an order."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import msgspec

from airflow_provider_kapture.client.account import Account, Dialect
from airflow_provider_kapture.client.errors import KaptureError, KaptureRefusedError
from airflow_provider_kapture.client.protocol import Answer, OrderKey, page_of


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
class Sight:
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
    def wants_filter(self) -> bool:
        """A refusal that says that a filter is missing."""
        said = self.message.lower()
        return self.status is not None and ("at least" in said or "atleast" in said)

    def refuses_like(self, other: Sight) -> bool:
        """The same refusal in the same words, but for numbers and dates in them."""
        mine, others = self.error, other.error
        return (
            isinstance(mine, KaptureRefusedError)
            and isinstance(others, KaptureRefusedError)
            and (mine.status, mine.excerpt) == (others.status, others.excerpt)
        )


_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def sight_of(answer: Answer, account: Account, now: dt.datetime, left: int) -> Sight:
    """What an answer shows; the orders themselves are let go."""
    envelope = _envelope(answer)
    said = {name: bytes(raw) for name, raw in envelope.items() if name in {"success", "status", "Status"}}
    claim = next((f'"{name}": {value.decode()}' for name, value in said.items() if _is_success(value)), "")
    shown = Sight(
        envelope=claim,
        message=_text(envelope.get("message") or envelope.get("Message")),
        is_null=bool(claim) and answer.status == 200 and bytes(envelope.get("order_details", b"null")) == b"null",
        left=left,
    )
    try:
        page = page_of(answer, account, now)
    except KaptureError as error:
        return replace(shown, error=error)
    return replace(shown, keys=tuple(page.keys), instants=tuple(page.instants))


def _envelope(answer: Answer) -> dict[str, msgspec.Raw]:
    try:
        return _OBJECTS.decode(answer.body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _is_success(value: bytes) -> bool:
    return value.strip(b'"').lower() in {b"true", b"success"}


def _text(raw: msgspec.Raw | None) -> str:
    value = msgspec.json.decode(raw) if raw is not None else ""
    return value.strip() if isinstance(value, str) else ""
