"""Findings of responses that are no page: what they show of the connection, and what ends an examination. Pure."""

from __future__ import annotations

from types import MappingProxyType

from airflow_provider_kapture.client.config.account import Account
from airflow_provider_kapture.client.errors import KaptureTransportError
from airflow_provider_kapture.doctor.findings import Finding
from airflow_provider_kapture.doctor.probe import ProbeResult, Problem


def connection_findings(account: Account, result: ProbeResult) -> list[Finding]:
    """Return what any response shows, and what the lack of one does."""
    failed = result.error.reason if isinstance(result.error, KaptureTransportError) else ""
    if failed in ("name", "resolver"):
        return []
    found = [Finding("name", "resolved", "the host's name has an address")]
    if failed in ("", "tls") and result.problem is not Problem.ELSEWHERE:
        found.append(Finding("connection", "reached", "the host answered"))
    if not failed:
        found.append(_tls_finding(account))
    return found


def _tls_finding(account: Account) -> Finding:
    if not account.origin.startswith("https:"):
        return Finding("TLS", "not used", "the host says http://, which only a loopback address may")
    if account.dialect.verify is False:
        return Finding("TLS", "not verified", "`verify` is false: the certificate was not checked")
    return Finding("TLS", "trusted", "the certificate is the host's, and `verify` trusts it")


def failure_finding(result: ProbeResult) -> Finding:
    """Return the finding of a request that ends the examination."""
    error = result.error
    assert error is not None
    if result.problem is Problem.TRANSPORT:
        reason = getattr(error, "reason", "broken")
        question, answer = _TRANSPORT_FAILURES.get(reason, ("connection", reason))
    elif result.problem is Problem.METHOD:
        answer = "refused" if result.status in (405, 411) else "failed" if result.status in (500, 501) else "not found"
        question = "method"
    elif result.needs_filter:
        question, answer = "filter", "not known"
    else:
        assert result.problem is not None
        question, answer = _FAILURES[result.problem]
    return Finding(question, answer, str(error), is_good=False)


_TRANSPORT_FAILURES = MappingProxyType(
    {"name": ("name", "not resolved"), "resolver": ("name", "not resolved"), "tls": ("TLS", "failed")}
)
_FAILURES = MappingProxyType(
    {
        Problem.ELSEWHERE: ("connection", "redirected"),
        Problem.BUSY: ("connection", "busy"),
        Problem.DOOR: ("credentials", "forbidden"),
        Problem.CREDENTIALS: ("credentials", "refused"),
        Problem.SHAPE: ("envelope", "not known"),
        Problem.REFUSED: ("date format", "not known"),
    }
)
