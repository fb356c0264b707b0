"""Connection extra ``headers``: more headers for every request, and which are refused.

The headers that the client sets itself are in `../api/request.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from airflow_provider_kapture.client.errors import KaptureSettingsError

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# Headers that the client sets, or that would change where and how the request is sent.
_REFUSED = frozenset(
    {
        "authorization",
        "host",
        "cookie",
        "connection",
        "transfer-encoding",
        "accept-encoding",
        "te",
        "upgrade",
        "expect",
    }
)
_REFUSED_PREFIXES = ("content-", "proxy-")


def parse_headers(key: str, value: Any) -> Mapping[str, str]:
    """Return the headers, checked. Values may contain ``{token}`` and ``{password}``.

    :raises KaptureSettingsError: names the header; the message never contains a value
    """
    if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in (*value, *value.values())):
        raise KaptureSettingsError(
            f'Connection extra `{key}` must be an object of strings, such as {{"x-api-key": "{{token}}"}}'
        )
    folded: set[str] = set()
    for name, text in value.items():
        lower = name.lower()
        if not _NAME.fullmatch(name) or lower in folded:
            raise KaptureSettingsError(
                f"Connection extra `{key}` contains {name!r:.40}, which is not a valid header name, or is there twice"
            )
        if lower in _REFUSED or lower.startswith(_REFUSED_PREFIXES):
            raise KaptureSettingsError(
                f"Connection extra `{key}` contains {name!r}, which the client sets itself; remove it"
            )
        if text == "***":
            raise KaptureSettingsError(
                f"Connection extra `{key}` contains '***' for {name!r}, which is Airflow's mask; enter the value itself"
            )
        _check_text(key, name, text)
        folded.add(lower)
    return MappingProxyType(dict(value))


def render_headers(headers: Mapping[str, str], token: str, password: str) -> dict[str, str]:
    """Return the headers with ``{token}`` and ``{password}`` replaced.

    :param token: text after ``Basic`` in the Authorization header
    :param password: the secret as entered
    :raises KaptureSettingsError: a value that a header cannot contain
    """
    values = {"{token}": token, "{password}": password}
    rendered = {
        name: re.sub(r"\{(?:token|password)\}", lambda found: values[found[0]], text) for name, text in headers.items()
    }
    for name, text in rendered.items():
        _check_text("headers", name, text)
    return rendered


def _check_text(key: str, name: str, text: str) -> None:
    if not (text.isascii() and text.isprintable()) or text.strip() != text:
        raise KaptureSettingsError(
            f"Connection extra `{key}` has a value for {name!r} that a header cannot contain; use printable ASCII "
            "without line breaks or surrounding white space"
        )
