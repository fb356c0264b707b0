"""The fields of a connection, checked: origin, credentials and settings of an account.

Reading a connection from Airflow is the hook's part; how requests use the settings is in `../api/`.
"""
