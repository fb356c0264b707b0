"""Remove secrets and customer data from a vendor's messages."""

from __future__ import annotations

import re
from dataclasses import replace

from airflow_provider_kapture.client import orders
from airflow_provider_kapture.client.api.request import OrderQuery
from airflow_provider_kapture.client.config.account import Account

_EXCERPT_LENGTH = 120
# Characters of a message that are looked at: more than are shown, and few, as the search takes their square in time.
_MAX_SCANNED = 1_000
_PERSONAL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+|\+?\d[\d\s().-]{5,}\d")


def redact(text: str, account: Account) -> str:
    """A vendor's words as a message may show them: short, on one line, no credentials, no addresses, no numbers.

    Nor what the request itself said of a customer.
    """
    words = " ".join(without_secrets(text, account).split())
    if len(words) > _MAX_SCANNED:
        # Not half a word: without its other half, an address may not look like one.
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
    """The account, with the words in a request that tell who a customer is unsaid."""
    sent = {**account.dialect.default_body, **query.body}
    values = [sent[name] for name in orders.PERSONAL_FILTERS if name in sent]
    # Of a list, each item too; a single letter tells of nobody.
    words = {word for value in values for word in (str(value), *str(value).split(",")) if len(word.strip()) > 1}
    return replace(account, redacted_terms=tuple(sorted(words, key=len, reverse=True))) if words else account
