"""How long a walk goes on that gets nowhere."""

from __future__ import annotations

from airflow_provider_kapture.client.prefix import listing_error

# Answers that bring nothing, between two that bring what comes next.
_MOST_FRUITLESS = 24
_MOST_RESTARTS = 3
# Answers in a row that bring something, but get no farther.
_MOST_STANDING = 64


class Patience:
    """Ends with a :class:`~airflow_provider_kapture.client.errors.KaptureListingError`.

    :ivar restarts: how often the listing was read on from its top
    """

    def __init__(self) -> None:
        self.restarts = 0
        self._fruitless = 0
        self._standing = 0
        self._reached = -1

    def restart(self) -> None:
        """The listing is read on from its top."""
        self.restarts += 1
        self._spend(self.restarts, _MOST_RESTARTS)

    def fruitless(self) -> None:
        """An answer brought nothing."""
        self._fruitless += 1
        self._spend(self._fruitless, _MOST_FRUITLESS)

    def reach(self, place: int) -> None:
        """An answer brought what comes next, and ended there."""
        self._fruitless = 0
        self._standing = self._standing + 1 if place <= self._reached else 0
        self._reached = place
        self._spend(self._standing, _MOST_STANDING)

    def _spend(self, count: int, most: int) -> None:
        if count > most:
            raise listing_error(
                "the listing kept moving faster than it could be followed; pull a window that has ended, or ask for "
                "another order with `sortParam` in `default_body`"
            )
