# Airflow's image with this provider, built from the repository: docker build --tag airflow-kapture .
FROM apache/airflow:3.3.2-python3.12
COPY --chown=airflow:root pyproject.toml README.md LICENSE NOTICE /opt/kapture/
COPY --chown=airflow:root airflow_provider_kapture /opt/kapture/airflow_provider_kapture
RUN pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" "/opt/kapture[emulator,parquet,s3]"
