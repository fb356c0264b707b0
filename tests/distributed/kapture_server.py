"""The emulator as a process of its own: SIGUSR1 takes it down, SIGUSR2 brings it back with all that it had."""

import datetime as dt
import json
import signal
import sys

from airflow_provider_kapture.emulator import Book, Emulator, Switches

DOWN, UP = signal.SIGUSR1, signal.SIGUSR2


def main(port, book, switches):
    emulator = Emulator(
        Book(**{**book, "start": dt.date.fromisoformat(book["start"])}), Switches(**switches), port=port
    )
    signal.pthread_sigmask(signal.SIG_BLOCK, {DOWN, UP, signal.SIGTERM})
    heard = UP
    while heard == UP:
        with emulator:
            heard = signal.sigwait({DOWN, signal.SIGTERM})
        if heard == DOWN:
            heard = signal.sigwait({UP, signal.SIGTERM})


if __name__ == "__main__":
    main(int(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3]))
