"""The cookies of one pull, in memory: returned to the origin that set them, and discarded with the pull."""

from __future__ import annotations

import email.message
import http.cookiejar
import urllib.request
from collections.abc import Iterable, Mapping
from typing import cast

from airflow_provider_kapture.client import orders


class PullCookies:
    """Cookies that Kapture sets during a pull, so that a load balancer keeps the pull on one node.

    Safe for use by several threads.

    :param origin: the only origin that the cookies are sent to
    """

    def __init__(self, origin: str) -> None:
        self._url = origin + orders.PATH
        # Plain http is used with loopback addresses only, where a test server may set cookies marked Secure.
        policy = http.cookiejar.DefaultCookiePolicy(secure_protocols=("https", "http"))
        self._jar = http.cookiejar.CookieJar(policy)

    def header(self) -> Mapping[str, str]:
        """Return the ``Cookie`` header of the next request, or no header if there are no cookies."""
        request = urllib.request.Request(self._url)  # noqa: S310 - it is not opened, and the scheme was checked
        self._jar.add_cookie_header(request)
        return dict(request.header_items())

    def keep(self, set_cookie: Iterable[str]) -> None:
        """Store the cookies of a response.

        :param set_cookie: values of its ``Set-Cookie`` headers
        """
        headers = email.message.Message()
        for value in set_cookie:
            # Others are no cookies by RFC 6265, and the two transports decode them differently.
            if value.isascii():
                headers["Set-Cookie"] = value
        if headers:
            request = urllib.request.Request(self._url)  # noqa: S310 - as above
            self._jar.extract_cookies(cast("http.client.HTTPResponse", _Response(headers)), request)


class _Response:
    """The part of a response that the standard library's cookie jar reads."""

    def __init__(self, headers: email.message.Message) -> None:
        self._headers = headers

    def info(self) -> email.message.Message:
        return self._headers
