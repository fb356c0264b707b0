"""The audit of a ``/`` destination: which days it holds, and what differs from its receipts and from Kapture."""

from airflow_provider_kapture.audit.report import AuditReport, Day, Finding
from airflow_provider_kapture.audit.run import audit

__all__ = ["AuditReport", "Day", "Finding", "audit"]
