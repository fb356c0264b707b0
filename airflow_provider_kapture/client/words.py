"""Meaning of the vendor's messages: one table of words for responses (`api/`) and for settings (`config/`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType


class Meaning(StrEnum):
    """Meaning of a failure message."""

    CREDENTIALS = "a wrong, expired or disabled key"
    FILTER = "a missing filter"
    BUSY = "a busy server"
    FAULT = "a fault of the server"


# Letters only, case folded. Source: Pull Order API, "Response Messages", and the vendor's other pages.
_WORDS: Mapping[Meaning, tuple[str, ...]] = MappingProxyType(
    {
        Meaning.CREDENTIALS: (
            "authkey",
            "apikey",
            "authorizationkey",
            "apiexpired",
            "apirequestisexpired",
            "apirequestexpired",
            "apiisexpired",
            "keyinvalid",
            "invalidkey",
            "keyexpired",
            "keyisexpired",
            "keydisabled",
            "keyisdisabled",
            "unauthorized",
            "unauthorised",
            "authenticationfailed",
            "invalidcredential",
            "badcredential",
            "invalidtoken",
            "tokenexpired",
            "invalidusername",
            "invalidpassword",
            "wrongpassword",
        ),
        Meaning.FILTER: ("atleast", "mandatory", "reqfieldmissing", "requiredfieldmissing"),
        Meaning.BUSY: (
            "toomanyrequests",
            "ratelimit",
            "tryagain",
            "tryafter",
            "retryafter",
            "alreadyinprocess",
            "throttl",
        ),
        Meaning.FAULT: ("servererror", "serverfailure", "internalerror"),
    }
)
_DIGITS = re.compile(r"\d+")


def meaning_of(message: str) -> Meaning | None:
    """Return the meaning of a failure message, or None if it contains no word of the table."""
    letters = "".join(each for each in message.casefold() if each.isalpha())
    return next(
        (meaning for meaning, words in _WORDS.items() if any(word in letters for word in words)),
        None,
    )


def masked(text: str) -> str:
    """Return a text for comparison: stripped, with digits masked; a text of digits only is not masked."""
    text = text.strip()
    return text if text.isdecimal() else _DIGITS.sub("#", text)


def is_listed(message: str, known: Iterable[str]) -> bool:
    """Return whether a message is one of those that a setting lists."""
    masked_message = masked(message)
    return bool(masked_message) and any(masked(each) == masked_message for each in known)
