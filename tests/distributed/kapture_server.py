"""The emulator as a process of its own: SIGUSR1 takes it down, SIGUSR2 brings it back with all that it had.

With a book alone, it writes the orders that the emulator would have, one a line.
"""

import datetime as dt
import json
import signal
import sys

from airflow_provider_kapture.emulator import Book, Emulator, Switches

DOWN, UP = signal.SIGUSR1, signal.SIGUSR2


def book_of(text):
    book = json.loads(text)
    return Book(**{**book, "start": dt.date.fromisoformat(book["start"])})


def main(port, book, switches):
    emulator = Emulator(book, Switches(**switches), port=port)
    signal.pthread_sigmask(signal.SIG_BLOCK, {DOWN, UP, signal.SIGTERM})
    heard = UP
    while heard == UP:
        with emulator:
            heard = signal.sigwait({DOWN, signal.SIGTERM})
        if heard == DOWN:
            heard = signal.sigwait({UP, signal.SIGTERM})


if __name__ == "__main__":
    match sys.argv[1:]:
        case [book]:
            sys.stdout.buffer.writelines(record + b"\n" for record in Emulator(book_of(book)).records())
        case [port, book, switches]:
            main(int(port), book_of(book), json.loads(switches))
