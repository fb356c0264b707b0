"""What a pull yields and is sent: the steps that the sync and the async client carry out. Pure."""

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
    """Orders of one answer that belong to a window, each of a pull once.

    :ivar raws: each order's JSON as Kapture sent it
    :ivar ends: the window, where these are its last orders
    """

    raws: Sequence[msgspec.Raw]
    ends: Window | None = None


@dataclass(frozen=True, slots=True)
class FetchPages:
    """What a pull needs to go on: the page of the first request. The others are fetched meanwhile.

    :ivar requests: every request that may be in flight now
    """

    requests: Sequence[ListingRequest]


@dataclass(frozen=True, slots=True)
class CheckPage:
    """One request of a check that a pull makes between its pages.

    :ivar days: none for a few orders of any date, which is requested once, without retries
    :ivar optional: whether Kapture may reject the query: then it is tried a few times only
    :ivar is_control: whether the user's filters and body keys are left out
    """

    days: DayRange | None
    offset: int = 0
    limit: int | None = None
    optional: bool = False
    is_control: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a step of a pull is answered with.

    :ivar page: the page of the first request; none if it failed
    :ivar error: why it failed
    :ivar completed: the requests of the step that are complete already
    """

    page: Page | None = None
    error: KaptureError | None = None
    completed: Mapping[ListingRequest, Page] = field(default_factory=dict)

    def result(self) -> Page:
        """Return the page.

        :raises KaptureError: there is none
        """
        if self.error is not None:
            raise self.error
        return cast("Page", self.page)


PullStep: TypeAlias = FetchPages | CheckPage | OrderBatch
PullSteps: TypeAlias = Generator[PullStep, Fetched | None, None]


def next_step(steps: PullSteps, fetched: Fetched | None) -> PullStep | None:
    """Return the next step of a pull; None once it is complete.

    :param fetched: what came of the step before; None for the first, and after a batch
    :raises KaptureError: the pull is not complete
    """
    try:
        return steps.send(fetched)
    except StopIteration:
        return None


def fetch_step(step: FetchPages | CheckPage) -> Generator[PullStep, Fetched | None, Fetched]:
    """Yield a step; return what came of it."""
    fetched = yield step
    assert fetched is not None
    return fetched
