"""The anchored walk over one listing: pure, a state machine that says what to ask next and what an answer adds.

Pages are asked for so that each starts on the last order of the page before it, its *anchor*. The proof, given one
stable order of all orders that ever stand in the listing:

1. *Covered* is an order that stood there throughout and was read. Claim: every order that stood there throughout and
   comes before an order that was read is covered. At first nothing was read.
2. An answer is a contiguous stretch of the listing at some moment. If it holds an order that was read, what precedes
   that order is covered, and what follows it in the answer comes next; so does an answer from the top. The answer
   *joins*, and the claim holds for its last order too: for whichever moment it was given at, so answers may arrive in
   any order, and whatever was inserted or deleted in between.
3. An answer that holds nothing that was read does not join: orders above it left the listing. The walk steps back,
   twice as far each time, until an answer joins, at the latest at the top. Where even the top holds nothing that was
   read, more than a page was inserted there: the walk reads on from it, and what came out does not come out again.
4. An answer that is one order that was read has nothing behind it: the end, all is covered. A short page is not the
   end, nor is an empty one (but at the top), nor a page that ends on its anchor: it was cut there, or orders were
   inserted above. Where the end moves, it is asked for where it will be by then. Where it grows with every answer, no
   order is ever seen alone: the end is then where several answers in a row joined and were shorter than any page that
   was not the last, at most one order stood behind them, and that stretch had not moved when it was asked for again.
   Where more come with each answer, it is as many orders on as there were when the end was looked at.

That the order is stable is checked as far as it shows: orders that were read may not change their relative order
(:class:`~airflow_provider_kapture.client.prefix.Prefix`), two answers to the same question must have most orders in
common, and after a walk that saw orders inserted above it the top is looked at once more, so that an order that moved
there from below is not lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from airflow_provider_kapture.client.prefix import Prefix, listing_error
from airflow_provider_kapture.client.protocol import OrderKey
from airflow_provider_kapture.client.stretch import Ask, Stretch, Why
from airflow_provider_kapture.client.stride import Stride

# Answers that bring nothing, between two that bring what comes next.
_MOST_FRUITLESS = 24
_MOST_RESTARTS = 3
# Offsets that may all give the only row of a first page.
_MOST_REPEATED = 16
# Answers in a row that bring something, but get no farther.
_MOST_STANDING = 64
# Answers in a row that are the same, or full and no nearer to what comes next, before `offset` itself is looked at.
_SAME_ANSWERS = 2
_MOST_CHASED = 4
# Short answers in a row after which the end is looked for, where pages are of steady length and where they are not;
# twice as many each time that it was not there.
_TAIL, _UNEVEN_TAIL = 3, 12
# A listing that grows as fast as it is read looks like a very long one of pages no longer than that: after how many
# answers the end is looked for.
_SHORT_PAGE, _MANY = 16, 1024


class Walk:
    """One listing, read page by page. Drive it with :meth:`ask` and :meth:`take` until :attr:`done`.

    :param limit: the rows that a page is asked for
    :ivar taken: answers so far
    :ivar restarts: how often the listing was read on from its top
    :ivar overshoot: requests that turned out to be in vain
    """

    def __init__(self, limit: int, prefix: Prefix | None = None) -> None:
        self.done = False
        self.taken = 0
        self.restarts = 0
        self.overshoot = 0
        self._limit = limit
        self._prefix = prefix or Prefix()
        self._stride = Stride(limit)
        self._waiting: deque[Ask] = deque()
        self._asked = 0
        self._sent = 0
        self._latest: OrderKey | None = None  # the last order of the latest answer that brought any
        self._place = (0, 0)  # where it was seen last, and after how many answers
        self._shift = 0  # how far it moves from one answer to the next
        self._joined = Stretch(0, 0, {}, {})  # the latest answer that joined
        self._joined_at = 0  # and after how many answers that was
        self._has_grown = False  # whether orders were inserted above the latest
        self._closing: int | None = None  # the strands there were when the top began to be looked at again
        self._last_answer = 0  # when that look must end
        self._is_single = False  # whether the first page had one row
        self._is_honest = False  # whether another offset was seen to give another answer
        self._reached = -1  # where the latest answer that brought any ended
        self._standing = 0  # how many in a row got no farther than that
        self._tail = 0  # short answers in a row that joined
        self._looks = 0
        self._beyond: frozenset[OrderKey] = frozenset()  # what was seen there
        self._many = _MANY
        self._brought = 0
        self._margin = 0  # how near the end is looked for
        self._horizon: tuple[int, int] | None = None  # how many rows to bring, and to where, until the end as it was
        self._same = 0
        self._previous = Stretch(0, 0, {}, {})
        self._reach = -1  # the label of the farthest order seen since what comes next was found, or missed
        self._settle()
        self._push(0)

    def _settle(self) -> None:
        """What comes next was found: forget how."""
        self._fruitless = 0
        self._chased = 0
        self._back = 0

    @property
    def head(self) -> Ask:
        """The request whose answer is to be taken next."""
        return self._waiting[0]

    def ask(self, most: int) -> Sequence[Ask]:
        """The requests that may be on their way now, at most ``most``, the head first."""
        if self._stride.reads_ahead and not self._back and self.head.why is Why.NEXT:
            while len(self._waiting) < most:
                step = max(self._stride.page - self._stride.overlap, 1)
                self._waiting.append(self._next(self._waiting[-1].offset + step))
        asks = tuple(self._waiting)[:most]
        self._sent = max(self._sent, *(each.number for each in asks))
        return asks

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
        answer = Stretch(asked.offset, len(keys), where, self._prefix.known(rows))
        previous, self._previous = self._previous, answer
        if asked.why in (Why.OFFSET, Why.NEAR, Why.LITTLE):
            self._look(answer, asked.why, previous)
            return []
        if asked.why is Why.SAME and 2 * answer.in_common(previous) < min(len(where), len(previous.where)):
            raise listing_error(_LITTLE_IN_COMMON)
        if not answer.known and asked.offset and asked.why is not Why.TOP and not self._is_end(answer, asked.why):
            self._miss(answer)
            return []
        strands = self._prefix.strands
        fresh = self._prefix.add(rows, answer.known)
        if asked.why is Why.TOP:
            self._close_up(answer)
        elif self._is_end(answer, asked.why):
            self._finish()
        else:
            self._reach = fresh.get(answer.last, self._reach)
            self._join(answer, previous)
            if 0 < strands < self._prefix.strands and asked.why is not Why.SAME and not self.done:
                # How this answer stands to those before is not sure: see at least that it is to be trusted.
                self._push(asked.offset, Why.SAME)
        return [where[key] for key in fresh]

    def close(self) -> None:
        """Give back what was remembered."""
        self._prefix.close()

    def _is_end(self, answer: Stretch, why: Why) -> bool:
        if not answer.length:
            return why is Why.NOTHING or not answer.offset
        has_all = self._beyond <= answer.where.keys()
        return why is Why.STILL and bool(answer.known) and answer.first == self._joined.first and has_all

    def _join(self, answer: Stretch, previous: Stretch) -> None:
        if not answer.known and self.taken > 1:
            self.restarts += 1
            if self.restarts > _MOST_RESTARTS:
                raise listing_error(_MOVING)
            self._horizon = None
            self._drop_waiting()
        self._watch(answer)
        if answer.brought:
            self._progress(answer)
        elif answer.length == 1:
            self._alone(answer)
        else:
            self._repeat(answer, previous)
        self._joined, self._joined_at = answer, self.taken
        self._tail = self._tail + 1 if self._stride.is_short(answer.length) else 0
        if self._tail >= (_UNEVEN_TAIL if self._stride.uneven else _TAIL) << self._looks:
            self._look_for_the_end(answer, 2 * answer.brought)
        elif self.taken >= self._many and self._stride.page <= _SHORT_PAGE:
            self._many *= 2
            self._look_for_the_end(answer, self.taken)

    def _look_for_the_end(self, answer: Stretch, margin: int) -> None:
        """No order was seen alone, and the end may move with each answer."""
        self._tail = 0
        is_small = margin <= 2
        if self.done or self._closing is not None or not (is_small or self._horizon is None):
            return
        self._looks += 1
        self._margin = margin
        while self._waiting and self._waiting[0].number > self._sent:
            self._waiting.popleft()
        self._push(answer.place + (1 if is_small else margin), Why.LITTLE if is_small else Why.NEAR)

    def _watch(self, answer: Stretch) -> None:
        """See where the latest order that was read is now: whether orders were inserted above it, and how fast."""
        index = None if self._latest is None else answer.where.get(self._latest)
        if index is not None:
            place, seen = self._place
            now = answer.offset + index
            self._has_grown = self._has_grown or now > place
            self._shift = round((now - place) / (self.taken - seen))
            self._place = (now, self.taken)

    # -- what comes next --

    def _progress(self, answer: Stretch) -> None:
        """The answer brought what comes next."""
        if answer.known and not self._back:
            self._stride.joined(answer.last_known)
        self._settle()
        self._standing = self._standing + 1 if answer.place <= self._reached else 0
        self._reached = answer.place
        if self._standing > _MOST_STANDING:
            raise listing_error(_MOVING)
        self._latest, self._place = answer.last, (answer.place, self.taken)
        self._is_single = answer.length == 1 and (self.taken == 1 or self._is_single)
        if self._is_single:
            if self.taken > 1:
                raise listing_error(_SINGLE)
            self._ask_instead(1, Why.NOTHING)
            return
        self._stride.learn(answer.length, brought=answer.brought)
        self._brought += answer.brought
        if self._horizon is not None and self._brought >= self._horizon[0] and answer.place >= self._horizon[1]:
            self._finish()
        else:
            back = 0 if self._stride.was_short else self._stride.overlap - 1
            self._go_on(answer.place, max(answer.place - back, answer.offset + 1))

    def _go_on(self, place: int, offset: int) -> None:
        """Ask for what comes next, unless that is on its way."""
        if not self._waiting or self._waiting[0].offset > place:
            self._push(offset)

    def _repeat(self, answer: Stretch, previous: Stretch) -> None:
        """The answer joins, and all of it was read: what comes next is further down, or there is nothing more."""
        self._is_single = False
        self._back = 0
        reach = answer.known[answer.last]
        shift = self._shift
        if answer.last != self._latest:
            shift = min(round((answer.place - self._joined.place) / (self.taken - self._joined_at)), 0)
        if reach > self._reach or self._prefix.strand(reach) != self._prefix.strand(self._reach):
            self._reach, self._chased = reach, 0
        else:
            self._chased += answer.length >= self._stride.page
            self._count_fruitless()
        # The end is asked for where it will be by then.
        self._go_on(answer.place, max(answer.place + (shift if self._stride.is_short(answer.length) else 0), 0))
        self._check_offset(answer, previous)

    def _alone(self, answer: Stretch) -> None:
        """One order that was read, and nothing behind it."""
        if self._is_single and (not answer.offset or answer.offset > _MOST_REPEATED):
            raise listing_error(_SINGLE)
        if self._is_single and not self._is_honest:
            self._ask_instead(max(self._limit, 64), Why.OFFSET)
        elif self._is_single:
            # It came again: rows repeat at the edges of pages, or one was inserted above. What is next is to come.
            self._ask_instead(answer.offset + 1, Why.NOTHING)
        elif self._stride.has_any_length:
            # Where pages have had any length, one of one row may not be the last: nothing may lie beyond it.
            self._count_fruitless()
            self._ask_instead(answer.offset + 1, Why.NOTHING)
        else:
            self._finish()

    def _miss(self, answer: Stretch) -> None:
        """Nothing in the answer was read: step back until something is."""
        if self._is_single:
            self._push(0)
            return
        self._count_fruitless()
        self._reach = -1
        self._stride.missed()
        self._back = self._back * 2 or max(self._stride.page // 8, 2)
        self._push(max(answer.offset - self._back, 0))

    # -- what can't be followed --

    def _check_offset(self, answer: Stretch, previous: Stretch) -> None:
        """An ``offset`` that is ignored gives answers that bring nothing to whatever question."""
        is_same = answer.where.keys() == previous.where.keys() and answer.offset != previous.offset
        self._same = self._same + 1 if is_same else 0
        if (self._same >= _SAME_ANSWERS or self._chased >= _MOST_CHASED) and not self._is_honest:
            self._ask_instead(answer.offset + max(self._limit, 64), Why.OFFSET)

    def _look(self, answer: Stretch, why: Why, previous: Stretch) -> None:
        """Something ahead of what comes next was asked for; then go on where the walk was."""
        if why is Why.OFFSET:
            if answer.in_common(previous):
                raise listing_error(_IGNORED.format(answer.offset))
            if self._is_single and answer.length:
                raise listing_error(_SINGLE)
            self._is_honest = True
        elif why is Why.LITTLE and answer.length <= 1 and not answer.known:
            self._beyond = frozenset(answer.where)
            self._push(self._joined.offset, Why.STILL)
            return
        elif why is Why.NEAR and not answer.length:
            # What stands there throughout is no farther than that; what comes later need not be read.
            self._horizon = (self._brought + 2 * self._margin, self._joined.place + self._margin)
        if self._is_single:
            self._push(self._joined.offset + 1, Why.NOTHING)
        else:
            self._go_on(self._joined.place, self._joined.place)

    def _count_fruitless(self) -> None:
        self._fruitless += 1
        if self._fruitless > _MOST_FRUITLESS:
            raise listing_error(_MOVING)

    def _finish(self) -> None:
        self._drop_waiting()
        self._tail = 0
        self._horizon = None
        if self._has_grown and self._closing is None:
            self._closing = self._prefix.strands
            self._last_answer = 2 * self.taken
            self._push(0, Why.TOP)
        else:
            self.done = True

    def _close_up(self, answer: Stretch) -> None:
        """Read on from the top as far as there are orders that the walk did not see."""
        assert self._closing is not None
        has_met = any(self._prefix.strand(label) < self._closing for label in answer.known.values())
        if has_met or not answer.length or self.taken > self._last_answer:
            self._finish()
        else:
            self._push(answer.place if answer.known else 0, Why.TOP)

    def _ask_instead(self, offset: int, why: Why) -> None:
        self._drop_waiting()
        self._push(offset, why)

    def _drop_waiting(self) -> None:
        self.overshoot += sum(each.number <= self._sent for each in self._waiting)
        self._waiting.clear()

    def _push(self, offset: int, why: Why = Why.NEXT) -> None:
        self._waiting.appendleft(self._next(offset, why))

    def _next(self, offset: int, why: Why = Why.NEXT) -> Ask:
        self._asked += 1
        return Ask(self._asked, offset, why)


_IGNORED = (
    "the same orders came back for other offsets (the latest {}): `offset` is ignored, so that what lies beyond the "
    "first page can't be read; narrow the window or the filters to a page"
)
_SINGLE = (
    "each page has a single row, so that no page can start on the last order of the one before it; the account's "
    "`page_size` must let at least two through"
)
_MOVING = (
    "the listing kept moving faster than it could be followed; pull a window that has ended, or ask for another order "
    "with `sortParam` in `default_body`"
)
_LITTLE_IN_COMMON = (
    "two answers to the same question had little in common: the listing's order is not stable, or changes by more than "
    "half a page between two requests; ask for a stable one with `sortParam` in `default_body`"
)
