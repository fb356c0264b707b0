"""Airflow connections to Kapture."""
