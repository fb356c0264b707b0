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
4. An answer that is one order that was read has nothing behind it: the end, all is covered. Where the server cuts
   pages short, nothing may be there either. A short page is not the end, nor is an empty one (but at the top), nor a
   page that ends on its anchor: it was cut there, or orders were inserted above. Where the end moves, it is asked for
   where it will be by then. Where it grows with every answer, no order is ever seen alone: the end is then where
   several answers in a row joined and were shorter than any page that was not the last, at most one order stood
   behind them, and that stretch had not moved when it was asked for again. Where more come with each answer, it is as
   many orders on as there were when the end was looked at.

That the order is stable is checked as far as it shows: orders that were read may not change their relative order
(:class:`~airflow_provider_kapture.client.prefix.Prefix`), two answers to the same question must have most orders in
common, and after a walk that saw the listing move, its latest order further down or missing, the top is looked at once
more: for the order of what stands there, and so that an order that moved there from below is not lost.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_kapture.client.asks import Asks
from airflow_provider_kapture.client.drift import Drift
from airflow_provider_kapture.client.ending import Ending
from airflow_provider_kapture.client.patience import Patience
from airflow_provider_kapture.client.prefix import Prefix, listing_error
from airflow_provider_kapture.client.protocol import OrderKey
from airflow_provider_kapture.client.stretch import Ask, Stretch, Why
from airflow_provider_kapture.client.stride import Stride

# Offsets that may all give the only row of a first page.
_MOST_REPEATED = 16
# Answers in a row that are the same, or full and no nearer to what comes next, before `offset` itself is looked at.
_SAME_ANSWERS = 2
_MOST_CHASED = 4


class Walk:
    """One listing, read page by page. Drive it with :meth:`ask` and :meth:`take` until :attr:`done`.

    :param limit: the rows that a page is asked for
    :ivar taken: answers so far
    """

    def __init__(self, limit: int, prefix: Prefix | None = None) -> None:
        self.done = False
        self.taken = 0
        self._limit = limit
        self._prefix = prefix or Prefix()
        self._stride = Stride(limit)
        self._asks = Asks()
        self._patience = Patience()
        self._drift = Drift()
        self._ending = Ending()
        self._previous = self._joined = Stretch(0, 0, 0, {}, {})  # the latest answer, and the latest that joined
        self._back = 0  # how far the walk stepped back, for want of an answer that joins
        self._is_single = False  # whether the first page had one row
        self._is_honest = False  # whether another offset was seen to give another answer
        self._same = 0  # answers in a row that were the same
        self._is_doubtful = False  # whether the latest two answers to the same question had little in common
        self._reach = -1  # the label of the farthest order seen since what comes next was found, or missed
        self._chased = 0  # full answers that got no farther than that
        self._closing: int | None = None  # the strands there were when the top began to be looked at again
        self._last_answer = 0  # when that look must end
        self._asks.put_first(0)

    @property
    def restarts(self) -> int:
        """How often the listing was read on from its top."""
        return self._patience.restarts

    @property
    def overshoot(self) -> int:
        """Requests that turned out to be in vain."""
        return self._asks.overshoot

    @property
    def head(self) -> Ask:
        """The request whose answer is to be taken next."""
        return self._asks.head

    def ask(self, most: int) -> Sequence[Ask]:
        """The requests that may be on their way now, at most ``most``, the head first."""
        if self._stride.reads_ahead and not self._back and self.head.why is Why.NEXT:
            self._asks.read_ahead(most, max(self._stride.page - self._stride.overlap, 1))
        return self._asks.send(most)

    def take(self, keys: Sequence[OrderKey], *, goes_on: bool = False) -> list[int]:
        """Take the answer to the head; the indices of the orders in it that come out.

        :param goes_on: whether an answer from farther on, which is there already, holds orders
        :raises KaptureListingError: the order is not stable, ``offset`` is ignored, or the listing kept moving
        """
        asked = self._asks.take()
        self.taken += 1
        # One order alone before others that were seen: that is a page that was cut.
        self._stride.may_be_cut = self._stride.may_be_cut or (goes_on and len(keys) == 1)
        where: dict[OrderKey, int] = {}
        for index, key in enumerate(keys):
            where.setdefault(key, index)
        rows = list(where)
        answer = Stretch(self.taken, asked.offset, len(keys), where, self._prefix.known(rows))
        previous, self._previous = self._previous, answer
        if asked.why in (Why.OFFSET, Why.NEAR, Why.LITTLE):
            self._look(answer, asked.why, previous)
            return []
        if asked.why is Why.SAME and 2 * answer.in_common(previous) < min(len(where), len(previous.where)):
            self._doubt(asked)
            return []
        self._is_doubtful = False
        if not answer.known and asked.offset and asked.why is not Why.TOP and not self._is_end(answer, asked.why):
            self._miss(answer)
            return []
        strands = self._prefix.strands
        fresh = self._prefix.add(rows, answer.known)
        if asked.why is Why.TOP:
            self._close_up(answer, has_fresh=bool(fresh))
        elif self._is_end(answer, asked.why):
            self._finish()
        else:
            self._reach = fresh.get(answer.last, self._reach)
            self._join(answer, previous)
            if 0 < strands < self._prefix.strands and asked.why is not Why.SAME and not self.done:
                # How this answer stands to those before is not sure: see at least that it is to be trusted.
                self._asks.put_first(asked.offset, Why.SAME)
        return [where[key] for key in fresh]

    def close(self) -> None:
        """Give back what was remembered."""
        self._prefix.close()

    def _is_end(self, answer: Stretch, why: Why) -> bool:
        if not answer.length:
            return why is Why.NOTHING or not answer.offset
        has_all = self._ending.beyond <= answer.where.keys()
        return why is Why.STILL and bool(answer.known) and answer.first == self._joined.first and has_all

    def _join(self, answer: Stretch, previous: Stretch) -> None:
        if not answer.known and self.taken > 1:
            self._patience.restart()
            self._ending.forget()
            self._asks.drop()
        self._drift.watch(answer)
        if answer.brought:
            self._progress(answer)
        elif answer.length == 1:
            self._alone(answer)
        else:
            self._repeat(answer, previous)
        self._joined = answer
        look = self._ending.look(answer, self._stride)
        if look is not None and not self.done and self._closing is None:
            self._asks.drop_first_unsent()
            self._asks.put_first(*look)

    # -- what comes next --

    def _progress(self, answer: Stretch) -> None:
        """The answer brought what comes next."""
        if answer.known and not self._back:
            self._stride.joined(answer.last_known)
        self._back = self._chased = 0
        self._patience.reach(answer.place)
        self._drift.follow(answer)
        self._is_single = answer.length == 1 and (self.taken == 1 or self._is_single)
        if self._is_single:
            if self.taken > 1:
                raise listing_error(_SINGLE)
            self._asks.put_instead(1, Why.NOTHING)
            return
        self._stride.learn(answer.length, brought=answer.brought)
        if self._ending.is_reached(answer):
            self._finish()
        else:
            back = 0 if self._stride.was_short else self._stride.overlap - 1
            self._go_on(answer.place, max(answer.place - back, answer.offset + 1))

    def _go_on(self, place: int, offset: int) -> None:
        """Ask for what comes next, unless that is on its way."""
        if not self._asks.bring_next(place):
            self._asks.put_first(offset)

    def _repeat(self, answer: Stretch, previous: Stretch) -> None:
        """The answer joins, and all of it was read: what comes next is further down, or there is nothing more."""
        self._is_single = False
        self._back = 0
        reach = answer.known[answer.last]
        if reach > self._reach or self._prefix.strand(reach) != self._prefix.strand(self._reach):
            self._reach, self._chased = reach, 0
        else:
            self._chased += answer.length >= self._stride.page
            self._patience.fruitless()
        # The end is asked for where it will be by then.
        rate = self._drift.rate(answer, self._joined) if self._stride.is_short(answer.length) else 0
        self._go_on(answer.place, max(answer.place + rate, 0))
        self._check_offset(answer, previous)

    def _alone(self, answer: Stretch) -> None:
        """One order that was read, and nothing behind it."""
        if self._is_single and (not answer.offset or answer.offset > _MOST_REPEATED):
            raise listing_error(_SINGLE)
        if self._is_single and not self._is_honest:
            self._asks.put_instead(max(self._limit, 64), Why.OFFSET)
        elif self._is_single:
            # It came again: rows repeat at the edges of pages, or one was inserted above. What is next is to come.
            self._asks.put_instead(answer.offset + 1, Why.NOTHING)
        elif self._stride.may_be_cut and not self._ending.is_pushed(answer):
            # Nothing may lie beyond it.
            self._patience.fruitless()
            self._asks.put_instead(answer.offset + 1, Why.NOTHING)
        else:
            self._finish()

    def _miss(self, answer: Stretch) -> None:
        """Nothing in the answer was read: step back until something is."""
        if self._is_single:
            self._asks.put_first(0)
            return
        self._patience.fruitless()
        self._reach = -1
        self._stride.missed()
        self._back = self._back * 2 or max(self._stride.page // 8, 2)
        self._asks.put_first(max(answer.offset - self._back, 0))

    # -- what can't be followed --

    def _check_offset(self, answer: Stretch, previous: Stretch) -> None:
        """An ``offset`` that is ignored gives answers that bring nothing to whatever question."""
        is_same = answer.where.keys() == previous.where.keys() and answer.offset != previous.offset
        self._same = self._same + 1 if is_same else 0
        if (self._same >= _SAME_ANSWERS or self._chased >= _MOST_CHASED) and not self._is_honest:
            self._asks.put_instead(answer.offset + max(self._limit, 64), Why.OFFSET)

    def _doubt(self, asked: Ask) -> None:
        """An answer had little in common with the one before it to the same question.

        A listing may have moved that far while pages were read ahead: for the next one, none are.
        """
        if self._is_doubtful:
            raise listing_error(_LITTLE_IN_COMMON)
        self._is_doubtful = True
        self._asks.put_first(asked.offset, Why.SAME)

    def _look(self, answer: Stretch, why: Why, previous: Stretch) -> None:
        """Something ahead of what comes next was asked for; then go on where the walk was."""
        if why is Why.OFFSET:
            if answer.in_common(previous):
                raise listing_error(_IGNORED.format(answer.offset))
            if self._is_single and answer.length:
                raise listing_error(_SINGLE)
            self._is_honest = True
        elif self._ending.see(answer, why, self._joined):
            self._asks.put_first(self._joined.offset, Why.STILL)
            return
        if self._is_single:
            self._asks.put_first(self._joined.offset + 1, Why.NOTHING)
        else:
            self._go_on(self._joined.place, self._joined.place)

    # -- the end --

    def _finish(self) -> None:
        self._asks.drop()
        if self._drift.has_moved and self._closing is None:
            self._closing = self._prefix.strands
            self._last_answer = 2 * self.taken
            self._asks.put_first(0, Why.TOP)
        else:
            self.done = True

    def _close_up(self, answer: Stretch, *, has_fresh: bool) -> None:
        """Read on from the top as far as there are orders that the walk did not see.

        The last of an answer must be one that it saw: one further up may have moved there itself.
        """
        assert self._closing is not None
        label = answer.known.get(answer.last) if answer.length else None
        has_met = label is not None and self._prefix.strand(label) < self._closing
        if has_met or not has_fresh or self.taken > self._last_answer:
            self._finish()
        else:
            self._asks.put_first(answer.place if answer.known else 0, Why.TOP)


_IGNORED = (
    "the same orders came back for other offsets (the latest {}): `offset` is ignored, so that what lies beyond the "
    "first page can't be read; narrow the window or the filters to a page"
)
_SINGLE = (
    "each page has a single row, so that no page can start on the last order of the one before it; the account's "
    "`page_size` must let at least two through"
)
_LITTLE_IN_COMMON = (
    "two answers to the same question had little in common: the listing's order is not stable, or changes by more than "
    "half a page within a few requests; ask for a stable one with `sortParam` in `default_body`, or for larger pages"
)
