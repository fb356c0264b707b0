"""Kapture over HTTP. Knows nothing of Airflow."""

from airflow_provider_kapture.client.account import Account
from airflow_provider_kapture.client.client import KaptureClient

__all__ = ["Account", "KaptureClient"]
