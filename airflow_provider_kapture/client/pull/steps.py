"""The steps that a pull yields, and their results. Both clients carry them out. No I/O."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import msgspec

from airflow_provider_kapture.client.api.response import Page
from airflow_provider_kapture.client.days import DayRange, Window
from airflow_provider_kapture.client.errors import KaptureError
from airflow_provider_kapture.client.pull.listing import ListingRequest


@dataclass(frozen=True, slots=True)
class OrderBatch:
    """Orders of one response that belong to a window; each order of a pull is in one batch.

    :ivar raws: each order's JSON as Kapture sent it
    :ivar ends: the window that ends with this batch; None if it continues
    """

    raws: Sequence[msgspec.Raw]
    ends: Window | None = None


@dataclass(frozen=True, slots=True)
class FetchPages:
    """The pull needs the page of the first request; the others may be fetched at the same time.

    :ivar requests: all requests that may be in flight now
    """

    requests: Sequence[ListingRequest]


@dataclass(frozen=True, slots=True)
class CheckPage:
    """One request of a check between the pages of a pull.

    :ivar days: days to request; None for the control query (a few orders of any date), which is not retried
    :ivar offset: what the account's ``paging`` counts
    :ivar limit: rows; ``page_size`` if None
    :ivar optional: whether the account may not support the query; it is then tried a few times only
    :ivar is_control: whether to leave out the user's filters and body keys
    """

    days: DayRange | None
    offset: int = 0
    limit: int | None = None
    optional: bool = False
    is_control: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a step.

    :ivar page: page of the first request; None if it failed
    :ivar error: reason of the failure
    :ivar completed: pages of the other requests that have arrived
    """

    page: Page | None = None
    error: KaptureError | None = None
    completed: Mapping[ListingRequest, Page] = field(default_factory=dict)

    def result(self) -> Page:
        """Return the page.

        :raises KaptureError: the request failed
        """
        if self.error is not None:
            raise self.error
        return cast("Page", self.page)


PullStep: TypeAlias = FetchPages | CheckPage | OrderBatch
PullSteps: TypeAlias = Generator[PullStep, Fetched | None, None]


def next_step(steps: PullSteps, fetched: Fetched | None) -> PullStep | None:
    """Return the next step of a pull, or None if the pull is complete.

    :param fetched: result of the previous step; None at the start and after a batch
    :raises KaptureError: the pull is not complete
    """
    try:
        return steps.send(fetched)
    except StopIteration:
        return None


def fetch_step(step: FetchPages | CheckPage) -> Generator[PullStep, Fetched | None, Fetched]:
    """Yield a step and return its result."""
    fetched = yield step
    assert fetched is not None
    return fetched
