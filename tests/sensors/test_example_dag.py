import importlib.util
from pathlib import Path

import pytest

from airflow_provider_kapture.emulator import Book, Emulator

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "kapture_orders_sensor.py"


@pytest.mark.filterwarnings("ignore")  # Airflow's own, of its own test client and database layers
def test_orders_are_waited_for_and_then_pulled(
    airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_KAPTURE_ORDERS", tmp_path.as_uri())
    with Emulator(Book(orders=300, days=3)) as kapture:
        for name, value in kapture.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("gated", EXAMPLE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        run = module.dag.test()
        assert run.state == "success"
        seen = run.get_task_instance("wait_for_orders").xcom_pull(task_ids="wait_for_orders")
        assert seen["orders"] >= 10
        receipt = run.get_task_instance("pull_orders").xcom_pull(task_ids="pull_orders", key="receipt")
        assert receipt["rows"] == kapture.count("2024-05-08", "2024-05-08")
