"""How many requests a second the account answers, by when the doctor's were sent. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_kapture.doctor.findings import Finding


@dataclass(frozen=True, slots=True)
class Pace:
    """When requests were made.

    :ivar times: the start of each, seconds of a monotonic clock
    :ivar end: when the last was answered
    :ivar first_busy: the index of the first that was too many; none where none was
    """

    times: tuple[float, ...]
    end: float
    first_busy: int | None

    @property
    def stood(self) -> int:
        """Return how many requests were made in the second before the first that was too many, at least one."""
        if self.first_busy is None:
            return 1
        refused = self.times[self.first_busy]
        return max(sum(refused - 1 < each < refused for each in self.times), 1)


_MIN_REQUESTS = 5


def pace_finding(pace: Pace, configured: float | None = None) -> Finding:
    """Return how many pages a second the account answers, as far as one request after another shows it.

    :param configured: the connection's ``requests_per_second``
    """
    if pace.first_busy is not None:
        stood: float = pace.stood if configured is None else min(pace.stood, configured)
        return Finding(
            "pace",
            f"{stood:g} a second",
            f"request {pace.first_busy + 1} was too many: {stood:g} within the second before it were answered",
            settings={"requests_per_second": stood},
        )
    if len(pace.times) < _MIN_REQUESTS:
        return Finding("pace", "not known", f"{len(pace.times)} request(s) are too few to tell", is_good=False)
    took = max(pace.end - pace.times[0], 0.001)
    return Finding(
        "pace",
        f"at least {len(pace.times) / took:.1f} a second",
        f"{len(pace.times)} requests, one at a time, took {took:.1f} s and none was too many",
    )
