"""The requests of a pull that are in flight: which to send, which responses are complete, which to drop. No I/O.

How requests are sent is that of :mod:`~airflow_provider_kapture.client.fetch.workers` and
:mod:`~airflow_provider_kapture.client.fetch.async_workers`; which may be sent is the pull's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.pull.listing import ListingRequest


class PageFuture(Protocol):
    """What a thread's future and an event loop's task have in common."""

    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def exception(self) -> BaseException | None: ...
    def result(self) -> Page: ...


_F = TypeVar("_F", bound=PageFuture)


class InFlightRequests(Generic[_F]):
    """Requests whose pages the pull has not taken yet, each with its future.

    :param send: sends a request; the future of its page
    """

    def __init__(self, send: Callable[[ListingRequest], _F]) -> None:
        self._send = send
        self._futures: dict[ListingRequest, _F] = {}

    def submit_missing(self, requests: Sequence[ListingRequest]) -> None:
        """Send the requests that are not in flight yet, and drop complete ones of listings that are over."""
        first = requests[0].listing
        self._futures = {
            each: future for each, future in self._futures.items() if each.listing >= first or not future.done()
        }
        for request in requests:
            if request not in self._futures:
                self._futures[request] = self._send(request)

    def get(self, request: ListingRequest) -> _F | None:
        """Return the future of a request; none if it is not in flight."""
        return self._futures.get(request)

    def remove(self, request: ListingRequest) -> _F:
        """Return the future of a request, and hold it no longer."""
        return self._futures.pop(request)

    def completed(self) -> dict[ListingRequest, Page]:
        """Return the pages that have arrived."""
        done = {each: future for each, future in self._futures.items() if future.done() and not future.cancelled()}
        return {each: future.result() for each, future in done.items() if future.exception() is None}

    @property
    def futures(self) -> Sequence[_F]:
        return tuple(self._futures.values())
