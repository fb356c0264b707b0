"""Pulls into a destination in forks of a process that has everything imported; test_killed.py starts and kills them.

Reads lines of standard input: what to pull (``first`` window, ``both`` of them, or both for ``ever``), a space, the
destination. Answers each with the process id of the fork, and with its exit status, or the signal that ended it.
"""

import os
import signal
import sys

# ruff: noqa: F401 - some are what a pull imports while it runs
import airflow.providers.amazon.aws.fs.s3
import s3fs
from airflow.providers.common.compat.sdk import ObjectStoragePath

import airflow_provider_kapture.storage.encoders.parquet
import airflow_provider_kapture.storage.file_pull
from airflow_provider_kapture.hooks.kapture import KaptureHook
from airflow_provider_kapture.operators.kapture import KapturePullOrdersOperator


def pulls(destination):
    """One window and then the other into the same object, each with orders of its own."""
    days = [("2024-05-08", "2024-05-09"), ("2024-05-09", "2024-05-10")]
    return [
        KapturePullOrdersOperator(
            task_id="pull", window_start=start, window_end=end, destination=destination, file_format="parquet"
        )
        for start, end in days
    ]


class Run:
    """Pulls that SIGTERM ends as it ends a task: the operator is told, and an exception raised in the main thread.

    The operator remembers, as that may be where an exception goes nowhere, such as in the end of an object.
    """

    def __init__(self):
        self.operator = None
        self.is_stopped = False
        signal.signal(signal.SIGTERM, self.stop)

    def __call__(self, what, destination):
        while not self.is_stopped:
            for self.operator in pulls(destination):
                if not self.is_stopped:
                    self.operator.execute({})
                if what == "first":
                    return
            if what == "both":
                return

    def stop(self, *_):
        self.is_stopped = True
        if self.operator is not None:
            self.operator.on_kill()
        raise SystemExit


def main():
    # Airflow logs to standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # What Airflow imports for its first connection and its first file system.
    KaptureHook().get_account()
    assert ObjectStoragePath("file:///").fs
    for line in sys.stdin:
        what, destination = line.split()
        child = os.fork()
        if not child:
            status = 1
            try:
                Run()(what, destination)
                status = 0
            finally:
                os._exit(status)
        print(child, file=answers, flush=True)
        _, status = os.waitpid(child, 0)
        ended = os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(ended, file=answers, flush=True)


if __name__ == "__main__":
    main()
