"""The hook: an Airflow connection as an account and a client."""
