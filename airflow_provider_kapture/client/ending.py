"""Where a listing ends that shows no order alone, because its end moves with each answer."""

from __future__ import annotations

from airflow_provider_kapture.client.protocol import OrderKey
from airflow_provider_kapture.client.stretch import Stretch, Why
from airflow_provider_kapture.client.stride import Stride

# Short answers in a row after which the end is looked for, where pages are of steady length and where they are not;
# twice as many each time that it was not there.
_TAIL, _UNEVEN_TAIL = 3, 12
# A listing that grows as fast as it is read looks like a very long one of pages no longer than that: after how many
# answers the end is looked for.
_SHORT_PAGE, _MANY = 16, 1024
# Answers that are the same order alone, each time further down, after which nothing is behind it.
_PUSHED = 3


class Ending:
    """What was seen of the end.

    :ivar beyond: the orders that stood behind the answer that was the last to join
    """

    def __init__(self) -> None:
        self.beyond: frozenset[OrderKey] = frozenset()
        self._short = 0  # answers in a row
        self._alone = Stretch(0, 0, 0, {}, {})  # the latest answer of one order that was read
        self._pushed = 0  # how often in a row it was the same, further down
        self._many = _MANY
        self._looks = 0
        self._margin = 0  # how near the end is looked for
        self._brought = 0
        self._horizon: tuple[int, int] | None = None  # how many rows to bring, and to where, until the end as it was

    def look(self, joined: Stretch, stride: Stride) -> tuple[int, Why] | None:
        """The offset to look at after an answer that joined, and what for; none where there is no need yet."""
        self._short = self._short + 1 if stride.is_short(joined.length) else 0
        if self._short >= (_UNEVEN_TAIL if stride.uneven else _TAIL) << self._looks:
            margin = 2 * joined.brought
        elif joined.number >= self._many and stride.page <= _SHORT_PAGE:
            self._many *= 2
            margin = joined.number
        else:
            return None
        self._short = 0
        if margin <= 2:
            found = (joined.place + 1, Why.LITTLE)
        elif self._horizon is None:
            found = (joined.place + margin, Why.NEAR)
        else:
            return None
        self._looks += 1
        self._margin = margin
        return found

    def see(self, answer: Stretch, why: Why, joined: Stretch) -> bool:
        """Take what such a look showed; whether the end is there if it has not moved since."""
        if why is Why.LITTLE and answer.length <= 1 and not answer.known:
            self.beyond = frozenset(answer.where)
            return True
        if why is Why.NEAR and not answer.length:
            # What stands there throughout is no farther than that; what comes later need not be read.
            self._horizon = (self._brought + 2 * self._margin, joined.place + self._margin)
        return False

    def is_reached(self, answer: Stretch) -> bool:
        """Count what an answer brought; whether the listing is read to where its end was."""
        self._brought += answer.brought
        return self._horizon is not None and self._brought >= self._horizon[0] and answer.place >= self._horizon[1]

    def is_pushed(self, answer: Stretch) -> bool:
        """Take note of one order alone; whether it only moves down, as others come in above: nothing is behind it."""
        is_same = answer.where.keys() == self._alone.where.keys() and answer.place > self._alone.place
        self._pushed = self._pushed + 1 if is_same else 0
        self._alone = answer
        return self._pushed >= _PUSHED

    def forget(self) -> None:
        """What was seen does not hold: the listing is read on from its top."""
        self._horizon = None
