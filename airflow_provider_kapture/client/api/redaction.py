"""Remove secrets and customer data from the vendor's messages before they are shown."""

from __future__ import annotations

import re
from dataclasses import replace

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.config.account import Account

_EXCERPT_LENGTH = 120
# Characters of a message that are searched: more than are shown, but few, because the search takes quadratic time.
_MAX_SCANNED = 1_000
_PERSONAL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+|\+?\d[\d\s().-]{5,}\d")


def redact(text: str, account: Account) -> str:
    """Return a vendor's message for display: short, on one line, without credentials, addresses and long numbers.

    Personal values of the query are removed too.
    """
    words = " ".join(without_secrets(text, account).split())
    if len(words) > _MAX_SCANNED:
        # Cut between words: half of an e-mail address would not be recognised.
        words = words[:_MAX_SCANNED].rpartition(" ")[0] or words[:_MAX_SCANNED]
    return shorten(_PERSONAL.sub("***", words))


def without_secrets(text: str, account: Account) -> str:
    """Return a text with the credentials and the query's personal values replaced by ``***``."""
    for secret in sorted({*account.secrets, account.credentials.user} - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    for words in account.redacted_terms:
        text = re.sub(re.escape(words), "***", text, flags=re.IGNORECASE)
    return text


def shorten(text: str) -> str:
    """Return the beginning of a text, on one line, as an excerpt for a message."""
    text = "".join(each if each.isprintable() else " " for each in text[: 2 * _EXCERPT_LENGTH])
    return text if len(text) <= _EXCERPT_LENGTH else text[: _EXCERPT_LENGTH - 1] + "…"


def with_redactions(account: Account, query: OrderQuery) -> Account:
    """Return the account with the query's personal values added to its redaction list."""
    sent = {**account.dialect.default_body, **query.body}
    values = [sent[name] for name in orders.PERSONAL_FILTERS if name in sent]
    # Each item of a list too. A single letter identifies nobody.
    words = {word for value in values for word in (str(value), *str(value).split(",")) if len(word.strip()) > 1}
    return replace(account, redacted_terms=tuple(sorted(words, key=len, reverse=True))) if words else account
