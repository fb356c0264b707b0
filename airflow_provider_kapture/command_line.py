"""What the subcommands of ``kapture`` share: completion, the progress line, colours, and Airflow's connections."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

_CONTEXT_VARIABLE = "_AIRFLOW_PROCESS_CONTEXT"


def complete(parser: argparse.ArgumentParser) -> None:
    """Write the completions of a shell's command line and end the process, if the shell has started it for these.

    Needs argcomplete, which Airflow itself requires.
    """
    if "_ARGCOMPLETE" in os.environ:
        with suppress(ImportError):
            import argcomplete

            argcomplete.autocomplete(parser)


class ProgressLine:
    """One line on standard error: rewritten on a terminal, elsewhere a line for each topic.

    :param command: the command that it is of
    """

    def __init__(self, command: str) -> None:
        self._command = command
        self._topic = ""
        self._width = 0

    def show(self, text: str, topic: str) -> None:
        """Show what is being done.

        :param text: in a few words
        :param topic: what several texts have in common
        """
        line = f"{self._command}: {text}"
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{line:<{self._width}}")
            self._width = len(line)
        elif topic != self._topic:
            sys.stderr.write(line + "\n")
        self._topic = topic
        sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line from the terminal."""
        if self._width:
            sys.stderr.write(f"\r{'':<{self._width}}\r")
            sys.stderr.flush()
            self._width = 0


def is_colourful(stream: TextIO) -> bool:
    """Return whether text with colours may be written to a stream: a terminal, unless ``NO_COLOR`` is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


@contextmanager
def server_context() -> Iterator[None]:
    """Let Airflow look for connections in its database too, as ``airflow connections test`` does."""
    before = os.environ.get(_CONTEXT_VARIABLE)
    os.environ[_CONTEXT_VARIABLE] = "server"
    try:
        yield
    finally:
        del os.environ[_CONTEXT_VARIABLE]
        if before is not None:
            os.environ[_CONTEXT_VARIABLE] = before
