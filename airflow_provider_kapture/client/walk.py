"""The anchored walk over one listing: pure, a state machine that says what to ask next and what an answer adds.

Pages are asked for so that each starts on the last order of the page before it, its *anchor*. Given one stable order:

1. The orders read are a prefix of the listing, so far as it existed throughout. At first the prefix is empty.
2. An answer is a contiguous stretch of the listing at some moment. If it holds an order that was read, all that
   precedes that order has been read or is newer than the walk, and all that follows it in the answer comes next: the
   answer *joins*, and whatever in it was not read is read now. So (1) still holds. So does an answer from the top.
3. If it holds no order that was read, orders above it left the listing (or many came): the walk steps back until an
   answer joins. Only where none does within bounds, the listing starts over; orders that came out stay out, once.
4. An answer of one order, and that the latest read, has nothing behind it: the end. A short page is not, an empty one
   is not (but at the top), and a page that ends on its anchor is not either. Where the end itself moves with every
   answer, no order is ever seen alone: it is the end when many answers in a row brought next to nothing, each short
   of a page, and then nothing lies half a page beyond.

(2) holds whenever an answer was given, so answers may arrive in any order as long as they are taken in order. The
order being stable is itself checked: orders that were read before may not change their relative order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.errors import KaptureListingError
from airflow_provider_kapture.client.memory import Memory
from airflow_provider_kapture.client.protocol import OrderKey

# Answers in a row that bring nothing new before the listing starts over, and how often it may.
_MOST_STALLED = 24
_MOST_RESTARTS = 3
_SAME_ANSWERS = 3
# Short pages that were not the end after which a server's pages are of no steady length.
_UNSTEADY = 2
_NOWHERE = 1 << 62
# Answers in a row that bring next to nothing after which an end that moves is looked for beyond.
_TAIL = 8


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of the walk.

    :param number: which request of the listing this is
    :param offset: where the page starts
    """

    number: int
    offset: int


class Walk:
    """One listing, read page by page. Drive it with :meth:`ask` and :meth:`take` until :attr:`done`.

    :param limit: the rows that a page is asked for
    """

    def __init__(self, limit: int, memory: Memory | None = None) -> None:
        self.done = False
        self.restarts = 0
        self.overshoot = 0
        self.read = 0
        self._limit = limit
        self._memory = memory or Memory()
        self._waiting: deque[Ask] = deque()
        self._asked = 0
        self.taken = 0  # answers
        self._rank = 0  # of the next order behind all that was read
        self._page = 0  # rows that a page brings: learnt from what arrives
        self._steady = False  # whether pages are known to bring that many
        self._uneven = 0  # short pages that were not the end
        self._overlap = 1  # rows that a page starts before what comes next; more than the anchor where rows leave
        self._same = 0
        self._previous: tuple[int, Sequence[OrderKey]] = (0, ())
        self._start()

    def _start(self) -> None:
        self._waiting.clear()
        self._pass_start = self._rank
        self._first: OrderKey | None = None  # the only row of a first page that had one
        self._place = 0  # where the latest answer that joined ended
        self._placed = 0  # after how many answers that was
        self._tail = 0  # answers in a row that brought next to nothing
        self._short = 0  # the length of the latest page, where it was a short one
        self._beyond: int | None = None  # an offset that must be empty for the end to be the end
        self._gone_checked = -1
        self._settle()
        self._push(0)

    def _settle(self) -> None:
        """What comes next was found: forget how."""
        self._stalled = 0
        self._step = 0
        self._low = 0  # where something read was seen since
        self._missed = _NOWHERE  # and where nothing was

    @property
    def head(self) -> Ask:
        """The request whose answer is to be taken next."""
        return self._waiting[0]

    def ask(self, most: int) -> Sequence[Ask]:
        """The requests that may be on their way now, at most ``most``, the head first."""
        if self._steady and not self._short and not self._stalled and self._uneven < _UNSTEADY:
            while len(self._waiting) < most:
                self._waiting.append(self._next(self._waiting[-1].offset + max(self._page - self._overlap, 1)))
        return tuple(self._waiting)[:most]

    def take(self, keys: Sequence[OrderKey]) -> list[int]:
        """Take the answer to the head; the indices of the orders in it that come out.

        :raises KaptureListingError: the order is not stable, ``offset`` is ignored, or the listing kept moving
        """
        asked = self._waiting.popleft()
        self.taken += 1
        where: dict[OrderKey, int] = {}
        for index, key in enumerate(keys):
            where.setdefault(key, index)
        rows = list(where)
        known = self._memory.ranks(rows)
        read = {key: rank for key, rank in known.items() if rank >= self._pass_start}
        self._check_offset(asked, rows, read)
        self._tail = self._tail + 1 if len(rows) < self._page else 0
        if not rows and asked.offset in (0, self._beyond):
            self._finish()
        elif not read and (asked.offset or self._rank > self._pass_start):
            self._miss(asked)
        else:
            return self._join(asked, rows, where, known, read)
        return []

    def close(self) -> None:
        """Give back what the memory of the listing holds."""
        self._memory.close()

    def _join(
        self,
        asked: Ask,
        rows: Sequence[OrderKey],
        where: Mapping[OrderKey, int],
        known: Mapping[OrderKey, int],
        read: Mapping[OrderKey, int],
    ) -> list[int]:
        _check_order([read[key] for key in rows if key in read])
        latest_before = self._rank - 1
        self._remember(rows, read)
        place = asked.offset + len(rows) - 1
        grown = self._rank - 1 - latest_before
        if grown > max(self._page // 8, 1):
            self._tail = 0
        if grown:
            self._progress(asked, rows, read, place)
        else:
            self._stall(asked, rows, read, place)
        if self._tail >= _TAIL and not self.done:
            self._tail = 0
            self._beyond = place + max(self._page // 2, 2)
            self._waiting.clear()
            self._push(self._beyond)
        fresh = [where[key] for key in rows if key not in known]
        self.read += len(fresh)
        return fresh

    def _remember(self, rows: Sequence[OrderKey], read: Mapping[OrderKey, int]) -> None:
        """Rank each row that was not read with what it stands behind; behind the latest read, after it."""
        latest = self._rank - 1
        rank = min(read.values(), default=latest)
        ranks: dict[OrderKey, int] = {}
        for key in rows:
            if key in read:
                rank = read[key]
                continue
            if rank == latest:
                rank = latest = self._rank
                self._rank += 1
            ranks[key] = rank
        self._memory.set(ranks)

    # -- what comes next --

    def _progress(self, asked: Ask, rows: Sequence[OrderKey], read: Mapping[OrderKey, int], place: int) -> None:
        """The answer brought what comes next."""
        self._settle()
        self._beyond = None
        self._place, self._placed = place, self.taken
        if not read and len(rows) == 1:
            self._first = rows[0]
            self._beyond = 1
            self._push(1)
            return
        self._first = None
        if read and max(index for index, key in enumerate(rows) if key in read) >= self._overlap // 2:
            self._overlap = max(self._overlap - 1, 1)
        self._learn(rows, is_first=not read)
        if not self._waiting:
            self._push(max(place - self._overlap + 1, asked.offset + 1))
        elif self._waiting[0].offset > place:
            self._push(place)

    def _learn(self, rows: Sequence[OrderKey], *, is_first: bool) -> None:
        if self._short and not is_first:
            # The short page before was not the end: a page may bring no more than that.
            self._uneven += self._steady
            self._steady = True
        self._page = max(self._page, len(rows))
        self._short = len(rows) if len(rows) < (self._page if self._steady else self._limit) else 0
        self._steady = self._steady or not self._short

    def _stall(self, asked: Ask, rows: Sequence[OrderKey], read: Mapping[OrderKey, int], place: int) -> None:
        """The answer joins, but brings nothing behind the latest order read."""
        latest = self._rank - 1
        last = max(read.values())
        if self._first is not None:
            self._check_first(asked, rows)
        elif len(rows) == 1 and self._is_end(asked, is_latest=last == latest):
            return
        elif self._count_stall(asked, min(read.values())):
            # Towards the latest read: where it will be if orders go on coming and leaving at the rate they did, but
            # not past a place where nothing read was found.
            drift = round((place - self._place) / (self.taken - self._placed)) if last == latest else 0
            ahead = place + drift if last == latest else max(place + latest - last - self._overlap + 1, place)
            self._low, self._step, self._place, self._placed = place, 0, place, self.taken
            if not self._waiting or self._waiting[0].offset > place:
                self._push(max(ahead, 0) if last == latest or ahead < self._missed else place)

    def _is_end(self, asked: Ask, *, is_latest: bool) -> bool:
        """One order that was read, and nothing behind it."""
        if is_latest and self._uneven < _UNSTEADY:
            self._finish()
            return True
        if is_latest and self._beyond is None:
            # Pages here have had any length, so that one of one row may not be the last: nothing may lie beyond it.
            self._beyond = asked.offset + 1
            self._push(self._beyond)
            return True
        if not is_latest and self._gone_checked == self._rank:
            self._finish()
            return True
        if not is_latest:
            # The latest read have left the listing: see that on a whole page, before it is the end.
            self._gone_checked = self._rank
            self._push(max(asked.offset - max(self._page - 2, 1), 0))
            return True
        return False

    def _check_first(self, asked: Ask, rows: Sequence[OrderKey]) -> None:
        """Tell an order that came from pages of one row: offset 1 was not empty after a first page of one."""
        if asked.offset:
            self._gone_checked = self._rank
            self._push(0)
        elif len(rows) == 1:
            raise _listing_error(
                "each page has a single row, so that no page can start on the last order of the one before it; "
                "the account's `page_size` must let at least two through"
            )
        else:
            self._first = None
            self._push(len(rows) - 1)

    def _miss(self, asked: Ask) -> None:
        """Nothing in the answer was read: step back until something is."""
        if self._first is not None and asked.offset:
            self._push(0)
            return
        if not asked.offset or not self._count_stall(asked, self._rank):
            if not asked.offset:
                self._restart()
            return
        self._beyond = None
        self._missed = min(self._missed, asked.offset)
        self._overlap = min(self._overlap * 2, max(self._page // 2, 1))
        self._step = self._step * 2 or max(self._page // 8, 2)
        back = asked.offset - self._step
        self._push(self._low if back <= self._low < asked.offset else max(back, 0))

    def _count_stall(self, asked: Ask, lowest: int) -> bool:
        """Whether the walk may go on; otherwise the listing has started over."""
        self._stalled += 1
        if self._stalled <= _MOST_STALLED:
            return True
        if asked.offset > 2 * self._page and lowest < self._pass_start + self._page:
            raise _listing_error(_IGNORED.format(asked.offset))
        self._restart()
        return False

    def _check_offset(self, asked: Ask, rows: Sequence[OrderKey], read: Mapping[OrderKey, int]) -> None:
        """An ``offset`` that is ignored gives the same answer to different questions, again and again."""
        offset, previous = self._previous
        same = bool(rows) and rows == previous and asked.offset != offset and len(read) == len(rows)
        self._same = self._same + 1 if same else 0
        self._previous = (asked.offset, rows)
        if self._same >= _SAME_ANSWERS or (same and self._first is not None):
            raise _listing_error(_IGNORED.format(asked.offset))

    def _restart(self) -> None:
        self.restarts += 1
        if self.restarts > _MOST_RESTARTS:
            raise _listing_error(
                f"the listing kept moving: after {self.restarts} starts no order that was read could be found again "
                "within bounds; pull a window that has ended, or ask for another order with `sortParam`"
            )
        self._start()

    def _finish(self) -> None:
        self.done = True
        self.overshoot = len(self._waiting)
        self._waiting.clear()

    def _push(self, offset: int) -> None:
        self._waiting.appendleft(self._next(offset))

    def _next(self, offset: int) -> Ask:
        self._asked += 1
        return Ask(self._asked, offset)


_IGNORED = (
    "the same orders came back for other offsets (the latest {}): `offset` is ignored, so that what lies beyond the "
    "first page can't be read; narrow the window or the filters to a page"
)


def _check_order(ranks: Sequence[int]) -> None:
    if any(later < earlier for earlier, later in pairwise(ranks)):
        raise _listing_error(
            "orders that were read came back in another order: the listing's order is not stable, so that no page "
            "can be trusted to follow another; ask for a stable one with `sortParam` in `default_body`"
        )


def _listing_error(what: str) -> KaptureListingError:
    return KaptureListingError(f"The pages do not add up to one listing: {what}", path=orders.PATH)
