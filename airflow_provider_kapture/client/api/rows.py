"""Decode the list of orders of a response, at the path of connection extra ``rows_at``. No I/O.

The rest of the response is parsed in `envelope.py`; spellings of ids and dates are handled in `keys.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from airflow_provider_kapture.client.api.values import DecimalText

# Years 1 to 9999 in epoch milliseconds, with a margin of a day or two for time zones.
INSTANTS = range(-62_135_400_000_000, 253_402_100_000_000)


class CommonKeys(msgspec.Struct, gc=False):
    """The fields of an order that a pull needs, with their usual types and values."""

    id: int
    createDate: Annotated[int, msgspec.Meta(ge=INSTANTS.start, lt=INSTANTS.stop)]  # noqa: N815 - the vendor's name


class AnyKeys(msgspec.Struct, gc=False):
    """The same fields, of any type."""

    id: Any = None
    createDate: Any = None  # noqa: N815 - the vendor's name


@dataclass(frozen=True, slots=True)
class RowDecoders:
    """Decoders of the list of orders at one path.

    :param path: keys that lead to the list; empty if the response is the list
    """

    path: tuple[str, ...]
    _raws: msgspec.json.Decoder[Any]
    _common_keys: msgspec.json.Decoder[Any]
    _any_keys: msgspec.json.Decoder[Any]

    def raws(self, body: bytes) -> list[msgspec.Raw] | None:
        """Return each order's JSON as it was sent; None if there is no list at the path.

        :raises msgspec.DecodeError: the body is not JSON
        """
        try:
            found: list[msgspec.Raw] = self._list(self._raws.decode(body))
        except msgspec.ValidationError:
            return None
        return found

    def common_keys(self, body: bytes) -> list[CommonKeys]:
        """Return the orders' keys.

        :raises msgspec.ValidationError: they do not have the usual types and values
        """
        found: list[CommonKeys] = self._list(self._common_keys.decode(body))
        return found

    def any_keys(self, body: bytes) -> list[AnyKeys]:
        """Return the orders' keys, of any type."""
        found: list[AnyKeys] = self._list(self._any_keys.decode(body))
        return found

    def span(self, body: bytes) -> bytes:
        """Return the list of orders as it was sent."""
        found = msgspec.Raw(body)
        for name in self.path:
            found = _SPANS.decode(found)[name]
        return bytes(found)

    def _list(self, found: Any) -> Any:
        for index in range(len(self.path)):
            found = getattr(found, f"level_{index}")
        return found


_SPANS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@lru_cache(maxsize=8)
def decoders_for(rows_at: str) -> RowDecoders:
    """Return the decoders of connection extra ``rows_at``."""
    path = tuple(rows_at.split(".")) if rows_at else ()

    def decoder(row: Any) -> msgspec.json.Decoder[Any]:
        kind: Any = list[row]
        for index, name in reversed(list(enumerate(path))):
            field = f"level_{index}"
            kind = msgspec.defstruct("Level", [(field, kind)], rename={field: name})
        return msgspec.json.Decoder(kind, float_hook=DecimalText)

    return RowDecoders(path, decoder(msgspec.Raw), decoder(CommonKeys), decoder(AnyKeys))


def paths_of_orders(body: bytes) -> list[str]:
    """Return the paths of the lists of objects with ``id`` and ``createDate`` in a response; none if it is no JSON."""
    try:
        return [".".join(path) for path in _paths(json.loads(body), ())]
    except (ValueError, RecursionError):
        return []


def _paths(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _paths(each, (*path, str(name)))
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        first = value[0]
        if isinstance(first, Mapping) and {"id", "createDate"} <= first.keys():
            yield path
