"""What a request may get instead of orders."""

from __future__ import annotations


class RequestRejectedError(Exception):
    """The request gets a failure.

    :param status: the HTTP status
    :param message: what is said
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class NothingFoundError(Exception):
    """The request gets what a request without matching orders gets."""


_STATUSES = {"refused": 400, "failed": 200, "fault": 500}


def refuse(how: str, message: str) -> Exception:
    """The exception for a switch's value.

    :param how: an HTTP status, ``refused``, ``failed``, ``fault`` or ``empty``
    :param message: what is said
    """
    if how == "empty":
        return NothingFoundError()
    return RequestRejectedError(_STATUSES.get(how) or int(how), message)
