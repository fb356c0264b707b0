"""Exceptions that end the handling of a request without orders."""

from __future__ import annotations


class RequestRejectedError(Exception):
    """The response is a failure.

    :param status: the HTTP status
    :param message: the message in the response
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class NothingFoundError(Exception):
    """The response is that of a request without matching orders."""


_STATUSES = {"refused": 400, "failed": 200, "fault": 500}


def rejection(how: str, message: str) -> Exception:
    """Return the exception for a switch's value.

    :param how: an HTTP status, ``refused``, ``failed``, ``fault`` or ``empty``
    :param message: the message in the response
    """
    if how == "empty":
        return NothingFoundError()
    return RequestRejectedError(_STATUSES.get(how) or int(how), message)
