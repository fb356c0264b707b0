"""What an Airflow connection says about an account: origin, credentials and settings, checked."""
