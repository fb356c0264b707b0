"""Kapture over HTTP. Knows nothing of Airflow."""

from airflow_provider_kapture.client.client import KaptureClient
from airflow_provider_kapture.client.config.account import Account

__all__ = ["Account", "KaptureClient"]
