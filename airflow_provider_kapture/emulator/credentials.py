"""Checks before a request's body is read: firewall, HTTP method and credentials."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from airflow_provider_kapture.emulator import responses
from airflow_provider_kapture.emulator.responses import Reply
from airflow_provider_kapture.emulator.switches import Switches
from airflow_provider_kapture.emulator.traffic import SeenRequest

_LOGIN_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Login</title></head><body>"
    b'<form method="post" action="/login"><input name="username"><input name="password" type="password"></form>'
    b"</body></html>\n"
)
_DENIED_PAGE = b"<html><head><title>Error</title></head><body><h1>Access denied</h1></body></html>\n"
_HTML = {"content-type": "text/html; charset=utf-8"}


def issued_credentials(switches: Switches, user: str, password: str) -> tuple[str, str]:
    """Return the login and the password that a connection needs, as the vendor would issue them."""
    if switches.auth == "basic":
        return user, password
    return "", password if switches.auth == "key" else _token(switches, user, password)


def rejection(request: SeenRequest, switches: Switches, user: str, password: str) -> Reply | None:
    """Return the response to a blocked user agent, a wrong method or wrong credentials; None if all are accepted."""
    agent = request.headers.get("user-agent", "")
    if switches.user_agent is not None and not agent.startswith(switches.user_agent):
        return Reply(403, _DENIED_PAGE, _HTML)
    if switches.method not in (request.method, "both") or request.method not in ("GET", "POST"):
        allowed = "GET, POST" if switches.method == "both" else switches.method
        return responses.failure(switches.bad_method, None, switches, {"allow": allowed})
    token = _token(switches, user, password)
    if not _has_token(request.headers, token) or not _has_headers(request.headers, switches, token, password):
        return _wrong_credentials(switches)
    return None


def _has_token(headers: Mapping[str, str], token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "basic" and given == token


def _has_headers(headers: Mapping[str, str], switches: Switches, token: str, password: str) -> bool:
    for line in filter(str.strip, (switches.required_headers or "").split(";")):
        name, _, value = line.partition(":")
        expected = value.strip().replace("{token}", token).replace("{password}", password)
        if headers.get(name.strip().lower()) != expected:
            return False
    return True


def _wrong_credentials(switches: Switches) -> Reply:
    """Return the response to wrong credentials."""
    kind, status = switches.bad_auth_body, switches.bad_auth
    replies = {
        "redirect": responses.redirect("/login"),
        "login_page": Reply(200, _LOGIN_PAGE, _HTML),
        "html": Reply(status, _DENIED_PAGE, _HTML),
        "empty": Reply(status, b"", {}),
        "plain": Reply(status, switches.bad_auth_message.encode(), {"content-type": "text/plain; charset=utf-8"}),
    }
    return replies.get(kind) or responses.failure(status, switches.bad_auth_message, switches)


def _token(switches: Switches, user: str, password: str) -> str:
    secret = f"{user}:{password}" if switches.auth in ("basic", "token_of_login") else password
    return base64.b64encode(secret.encode()).decode()
