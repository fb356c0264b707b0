"""The steps of an event loop, as asyncio's debug mode times them, without what that mode costs."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Seconds: shorter steps and pauses do not matter.
MIN_DURATION = 0.001


@dataclass
class Pause:
    """A garbage collection; times are seconds.

    :param began: by the clock of ``time.perf_counter``
    :param took: duration
    :param worked: CPU time of the loop's thread; 0 if another thread collected
    """

    began: float
    took: float
    worked: float


@dataclass
class Step:
    """One step of the event loop; times are seconds.

    :param began: by the clock of ``time.perf_counter``
    :param took: duration
    :param worked: CPU time of the loop's thread
    :param what: the coroutine or callback
    """

    began: float
    took: float
    worked: float
    what: str

    def without(self, pauses: Iterable[Pause]) -> Step:
        """Return the step without the garbage collections during it, also those of other threads."""
        took, worked = self.took, self.worked
        for pause in pauses:
            start, end = max(self.began, pause.began), min(self.began + self.took, pause.began + pause.took)
            if start < end:
                took -= end - start
                worked -= pause.worked
        return replace(self, took=took, worked=worked)

    def __str__(self) -> str:
        return f"{self.took * 1000:.1f} ms; {self.worked * 1000:.1f} ms of CPU time ({self.what})"


def longest_step(steps: Iterable[Step], pauses: Sequence[Pause]) -> Step | None:
    """Return the longest step apart from pauses; None if no step took a millisecond."""
    # Not while they are recorded: another thread may be about to note a pause that is over.
    long_pauses = [pause for pause in pauses if pause.took >= MIN_DURATION]
    found = (step.without(long_pauses) for step in steps if step.took >= MIN_DURATION)
    return max(found, key=lambda step: step.took, default=None)


def watch_steps(steps: list[Step], names: Callable[[Any], str | None]) -> None:
    """Record each step from now on.

    :param names: returns the name of a handle's step; None for one that is not recorded
    """
    run_step = asyncio.Handle._run

    def timed(handle: Any) -> None:
        name = names(handle)
        began, worked = time.perf_counter(), time.thread_time()
        run_step(handle)
        took, worked = time.perf_counter() - began, time.thread_time() - worked
        if name is not None:
            steps.append(Step(began, took, worked, name))

    asyncio.Handle._run = timed  # type: ignore[method-assign]


def step_of_triggers(handle: Any) -> str | None:
    """Return the name of a step; None for one of Airflow's own tasks, apart from the one that runs a trigger."""
    callback = handle._callback
    owner = getattr(callback, "__self__", None)
    if not isinstance(owner, asyncio.Task):
        # Not its text: the `repr` of a response that is not there yet would keep its headers empty.
        return str(getattr(callback, "__qualname__", type(callback).__name__))
    coroutine: Any = owner.get_coro()
    name = getattr(coroutine, "__qualname__", type(coroutine).__name__)
    file = coroutine.cr_code.co_filename if inspect.iscoroutine(coroutine) else ""
    is_other = str(Path(__file__).parent) in file or ("/airflow/" in file and not name.endswith("run_trigger"))
    return None if is_other else name
