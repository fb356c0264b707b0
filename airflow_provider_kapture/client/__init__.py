"""Kapture over HTTP. Knows nothing of Airflow."""
