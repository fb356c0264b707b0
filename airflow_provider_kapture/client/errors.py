"""What can go wrong, named after what the caller can do about it.

::

    KaptureError
    ├── KaptureSettingsError (also ValueError)   the connection or an argument is wrong
    ├── KaptureTransportError                    no whole answer came
    │   ├── KaptureProxyAuthError                the proxy wants other credentials
    │   └── KaptureUnknownHostError              the host's name does not exist
    └── KaptureAnswerError                       an answer came, and it is not orders
        ├── KaptureAuthError                     the credentials are wrong
        ├── KaptureForbiddenError                the account may not do this
        ├── KaptureRefusedError                  the request, as it is, won't do
        ├── KaptureBusyError                     come back later
        ├── KaptureShapeError                    not what the vendor's page promises
        │   ├── KaptureMalformedError            JSON that is whole and malformed
        │   └── KaptureOversizeError             a page larger than max_response_bytes
        ├── KaptureDialectError                  orders of other days than those asked for
        └── KaptureListingError                  the pages do not add up to one listing

Messages never hold a secret nor a customer's data.
"""

from __future__ import annotations

import warnings


class KaptureError(Exception):
    """Base of all errors of this package.

    :ivar transient: whether asking for the same page again may mend it; the page is then asked for again
        within the connection's ``retry_budget``
    :ivar permanent: whether a later run of the same task must fail the same way, until a person changes something
    """

    transient = False
    permanent = False

    @property
    def hopeless(self) -> bool:
        """Return ``permanent``. Deprecated name of it; the next release removes it."""
        warnings.warn("KaptureError.hopeless is now KaptureError.permanent", DeprecationWarning, stacklevel=2)
        return self.permanent


class KaptureSettingsError(KaptureError, ValueError):
    """The connection or an argument is wrong. The message says which, and the nearest right one."""

    permanent = True


class KaptureTransportError(KaptureError):
    """No whole answer came: name resolution, connection, TLS, time-out, a body cut short.

    :param reason: ``name`` (there is no such name), ``resolver`` (name resolution does not answer), ``refused``,
        ``proxy``, ``proxy_auth`` (the proxy wants other credentials), ``tls``, ``timeout``, ``broken`` or ``cancelled``
    """

    def __init__(self, message: str, *, reason: str = "broken") -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def transient(self) -> bool:  # type: ignore[override]
        """A certificate that is not trusted does not mend within minutes."""
        return self.reason not in {"tls", "cancelled"}


class KaptureProxyAuthError(KaptureTransportError):
    """The proxy on the way answered 407: it wants other credentials than the environment gives it."""

    transient = False
    permanent = True

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="proxy_auth")


class KaptureUnknownHostError(KaptureTransportError):
    """The host's name did not exist, time after time, and no answer came before: the connection's host is wrong."""

    transient = False
    permanent = True

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="name")


class KaptureAnswerError(KaptureError):
    """Kapture answered, but not with orders.

    :param status: the HTTP status
    :param path: the path that was asked
    :param excerpt: what the vendor said, short and redacted
    """

    def __init__(self, message: str, *, status: int = 200, path: str = "", excerpt: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.path = path
        self.excerpt = excerpt


class KaptureAuthError(KaptureAnswerError):
    """401, or any spelling of a wrong, expired or disabled key under any status."""

    permanent = True


class KaptureForbiddenError(KaptureAnswerError):
    """A 403 before Kapture has answered any request of the client."""

    permanent = True


class KaptureRefusedError(KaptureAnswerError):
    """400, 404, 405, a redirect, any other "failed": the message names the settings that may be wrong.

    :ivar is_login_page: whether a page for people came, which no other offset or date can change
    """

    permanent = True
    is_login_page = False


class KaptureBusyError(KaptureAnswerError):
    """408, 409, 423, 425, 429, 5xx, words of a busy or failing server, and a 403 after requests that were answered.

    :param retry_after: seconds that the response asked to wait, where it did
    :param reduces_concurrency: whether fewer requests at once may help, and not only a later one
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
    """An answer under 200 that is not what the vendor's page promises: HTML, foreign JSON, half a body."""

    transient = True


class KaptureMalformedError(KaptureShapeError):
    """A response whose JSON is whole and malformed; the message gives the byte and the order.

    Requested once more, as the value may have been cut on the way; after that a later run would fail the same way.
    """

    permanent = True


class KaptureOversizeError(KaptureShapeError):
    """A page that unpacks to more than the connection's ``max_response_bytes``: it would the next time too."""

    transient = False
    permanent = True


class KaptureDialectError(KaptureAnswerError):
    """Orders created outside the days that were asked for: ``timezone`` or ``end_date`` is not the account's."""

    permanent = True


class KaptureListingError(KaptureAnswerError):
    """The pages do not add up to one listing: ``offset`` is ignored, the order is not stable, it kept moving."""
