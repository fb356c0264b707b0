"""Load each new file of `kapture_orders_hourly` into a warehouse: DuckDB, BigQuery, Snowflake or Databricks.

The rows of a file are replaced together, by the name of the file in the column `source`. So each order is in the table
once, also if a pull or a load is repeated. The DAGs of the warehouses whose provider is not installed are left out;
the documentation has the tables that they need.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, ObjectStoragePath, task

pulls = [Asset("kapture_orders_hourly")]
ARGUMENTS: dict[str, Any] = {
    "doc_md": __doc__,
    "tags": ["kapture", "example"],
    "start_date": pendulum.datetime(2024, 5, 1, tz="UTC"),
    "catchup": False,
    "max_active_runs": 1,
}


# [START howto_orders_files]
def new_files(context: Any) -> dict[str, str]:
    """Return the files that changed since the last run, as `create_date=DAY/NAME` to URI, each once."""
    # The second name is Airflow 2's. Each pull fires one event, whose extra is the receipt.
    events = context.get("triggering_asset_events") or context["triggering_dataset_events"]
    files = [file for of_asset in events.values() for event in of_asset for file in event.extra["files"]]
    paths = {file["uri"]: PurePosixPath(file["uri"]) for file in files if file["changed"]}
    return {f"{path.parent.name}/{path.name}": uri for uri, path in sorted(paths.items())}


# [END howto_orders_files]


# [START howto_orders_duckdb]
with DAG("kapture_orders_duckdb", schedule=pulls, description="New files of orders to DuckDB", **ARGUMENTS) as dag:

    @task
    def load(database: str, **context: Any) -> list[str]:
        """Replace the rows of each new file, all in one transaction, and return the files."""
        import duckdb
        import pyarrow.parquet

        files = new_files(context)
        with duckdb.connect(database) as warehouse:
            warehouse.execute("BEGIN")
            for source, uri in files.items():
                file = pyarrow.BufferReader(ObjectStoragePath(uri).read_bytes())
                warehouse.register("pulled", pyarrow.parquet.read_table(file))
                warehouse.execute("CREATE TABLE IF NOT EXISTS orders AS SELECT '' AS source, * FROM pulled LIMIT 0")
                warehouse.execute("DELETE FROM orders WHERE source = ?", [source])
                warehouse.execute("INSERT INTO orders BY NAME SELECT ? AS source, * FROM pulled", [source])
            warehouse.execute("COMMIT")
        return list(files)

    load("{{ var.value.get('kapture_duckdb', '/tmp/kapture-orders.duckdb') }}")
# [END howto_orders_duckdb]


# [START howto_orders_bigquery]
# `sales.orders_lake` is the external table over the folder.
BIGQUERY = [
    """
    MERGE sales.orders AS old
    USING (
      SELECT *, '{source}' AS source FROM sales.orders_lake
      WHERE create_date = '{day}' AND ENDS_WITH(_FILE_NAME, '{source}')
    ) AS new
    ON FALSE
    WHEN NOT MATCHED BY SOURCE AND old.create_date = '{day}' AND old.source = '{source}' THEN DELETE
    WHEN NOT MATCHED BY TARGET THEN INSERT ROW
    """
]
# [END howto_orders_bigquery]

# [START howto_orders_snowflake]
# `kapture_orders` is the stage of the folder. The operator runs both statements in one transaction.
SNOWFLAKE = [
    "DELETE FROM orders WHERE ENDSWITH(source, '{source}')",
    """
    COPY INTO orders FROM @kapture_orders FILES = ('{source}')
    FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)
    MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
    INCLUDE_METADATA = (source = METADATA$FILENAME)
    FORCE = TRUE
    """,
]
# [END howto_orders_snowflake]

# [START howto_orders_databricks]
# `/Volumes/sales/kapture/orders` is the volume of the folder.
DATABRICKS = [
    """
    INSERT INTO sales.orders REPLACE WHERE source = '{source}'
    SELECT *, '{source}' AS source FROM parquet.`/Volumes/sales/kapture/orders/{source}`
    """
]
# [END howto_orders_databricks]


# [START howto_orders_sql]
def statements_for(sources: Iterable[str], templates: list[str]) -> list[str]:
    """Return the statements that replace the rows of these files."""
    days = {source: source.partition("=")[2].partition("/")[0] for source in sources}
    return [template.format(source=source, day=day) for source, day in days.items() for template in templates]


def sql_dag(name: str, conn_id: str, templates: list[str]) -> DAG:
    """Return a DAG that loads new files with statements of a warehouse."""
    from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

    with DAG(f"kapture_orders_{name}", schedule=pulls, description=f"New files to {name}", **ARGUMENTS) as dag:

        @task
        def statements(**context: Any) -> list[str]:
            return statements_for(new_files(context), templates)

        sql: Any = statements()
        SQLExecuteQueryOperator(task_id="load", conn_id=conn_id, sql=sql, do_xcom_push=False)
    return dag


if find_spec("airflow.providers.google"):
    bigquery = sql_dag("bigquery", "bigquery_default", BIGQUERY)
if find_spec("airflow.providers.snowflake"):
    snowflake = sql_dag("snowflake", "snowflake_default", SNOWFLAKE)
if find_spec("airflow.providers.databricks"):
    databricks = sql_dag("databricks", "databricks_default", DATABRICKS)
# [END howto_orders_sql]
