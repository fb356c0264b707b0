"""The errors of the client, one class for each reaction of a caller.

::

    KaptureError
    ├── KaptureSettingsError (also ValueError)   the connection or an argument is wrong
    ├── KaptureTransportError                    no complete response; retried
    │   ├── KaptureProxyAuthError                the proxy rejects its credentials
    │   └── KaptureUnknownHostError              the host does not exist
    └── KaptureAnswerError                       a response that is not a page of orders
        ├── KaptureAuthError                     the credentials are wrong
        ├── KaptureForbiddenError                the user has no access
        ├── KaptureRefusedError                  Kapture rejects the request; a setting may be wrong
        ├── KaptureBusyError                     busy or failing server; retried
        ├── KaptureShapeError                    another form than the vendor's page describes
        │   ├── KaptureMalformedError            complete but malformed JSON
        │   └── KaptureOversizeError             a response larger than max_response_bytes
        ├── KaptureDialectError                  a setting does not match the account
        └── KaptureListingError                  the pages do not add up to one listing

Messages never contain secrets or customer data. They are built where the error is found.
"""

from __future__ import annotations

import warnings


class KaptureError(Exception):
    """Base of all errors of this package.

    :ivar transient: whether the request may succeed if it is repeated; it is then retried within the connection's
        ``retry_budget``
    :ivar permanent: whether every later try must fail in the same way until a person changes something; Airflow then
        does not retry the task
    """

    transient = False
    permanent = False

    @property
    def hopeless(self) -> bool:
        """Return ``permanent``. Deprecated name; the next release removes it."""
        warnings.warn("KaptureError.hopeless is now KaptureError.permanent", DeprecationWarning, stacklevel=2)
        return self.permanent


class KaptureSettingsError(KaptureError, ValueError):
    """The connection or an argument is wrong. The message names it and, for a misspelt name, the nearest known one."""

    permanent = True


class KaptureTransportError(KaptureError):
    """There was no complete response: name resolution, connection, TLS, time-out, truncated body.

    :param reason: ``name`` (unknown host name), ``resolver`` (name resolution does not respond), ``refused``,
        ``proxy``, ``proxy_auth`` (the proxy rejects its credentials), ``tls``, ``timeout``, ``broken`` or ``cancelled``
    """

    def __init__(self, message: str, *, reason: str = "broken") -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """False for TLS errors, which do not disappear within minutes, and for a cancelled pull."""
        return self.reason not in {"tls", "cancelled"}


class KaptureProxyAuthError(KaptureTransportError):
    """The proxy responded with 407: it rejects the credentials from the environment."""

    transient = False
    permanent = True

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="proxy_auth")


class KaptureUnknownHostError(KaptureTransportError):
    """Repeated lookups found no such host, and there was no response before: the connection's host is wrong."""

    transient = False
    permanent = True

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="name")


class KaptureAnswerError(KaptureError):
    """The response is not a page of orders.

    :param status: HTTP status
    :param path: path of the request
    :param excerpt: the vendor's message, short and redacted
    """

    def __init__(self, message: str, *, status: int = 200, path: str = "", excerpt: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.path = path
        self.excerpt = excerpt


class KaptureAuthError(KaptureAnswerError):
    """Status 401, or a message of a wrong, expired or disabled key under any status."""

    permanent = True


class KaptureForbiddenError(KaptureAnswerError):
    """Status 403 before the client has received any page."""

    permanent = True


class KaptureRefusedError(KaptureAnswerError):
    """Status 400, 404, 405, a redirect, or another failure. The message names the settings that may be wrong.

    :ivar is_login_page: whether it was an HTML page, which no other offset or date can change
    """

    permanent = True
    is_login_page = False


class KaptureBusyError(KaptureAnswerError):
    """Status 408, 409, 423, 425, 429, 5xx, a message of a busy or failing server, or 403 after pages were received.

    :param retry_after: seconds of the Retry-After header; None without one
    :param reduces_concurrency: whether to reduce the number of concurrent requests
    """

    transient = True

    def __init__(
        self,
        message: str,
        *,
        status: int = 200,
        path: str = "",
        excerpt: str = "",
        retry_after: float | None = None,
        reduces_concurrency: bool = False,
    ) -> None:
        super().__init__(message, status=status, path=path, excerpt=excerpt)
        self.retry_after = retry_after
        self.reduces_concurrency = reduces_concurrency


class KaptureShapeError(KaptureAnswerError):
    """A response with another form than the vendor's page describes: HTML, other JSON, a truncated body."""

    transient = True


class KaptureMalformedError(KaptureShapeError):
    """A response with complete but malformed JSON. The message names the byte and the order.

    It is requested once more, because it may have been damaged in transit. After that, later tries would fail too.
    """

    permanent = True


class KaptureOversizeError(KaptureShapeError):
    """A response larger than the connection's ``max_response_bytes`` when decompressed. A repeated one would be too."""

    transient = False
    permanent = True


class KaptureDialectError(KaptureAnswerError):
    """Orders outside the requested days, or an empty result that is disproved: a setting does not match the account."""

    permanent = True


class KaptureListingError(KaptureAnswerError):
    """The pages do not add up to one listing: ``offset`` is ignored, the sort is not stable, or it changes too fast."""
