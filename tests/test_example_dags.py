import importlib.util
from pathlib import Path

import pytest

from airflow_provider_kapture.emulator import Book, Emulator

EXAMPLES = Path(__file__).parent.parent / "example_dags"


@pytest.mark.filterwarnings("ignore")  # Airflow's own, of its own test client and database layers
def test_the_daily_example_pulls_a_day(airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS", tmp_path.as_uri())
    with Emulator(Book(orders=300, days=3)) as kapture:
        for name, value in kapture.connection_uri_env().items():
            monkeypatch.setenv(name, value)
        spec = importlib.util.spec_from_file_location("daily", EXAMPLES / "kapture_orders_daily.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        run = module.dag.test()
        assert run.state == "success"
        receipt = run.get_task_instance("pull_orders").xcom_pull(task_ids="pull_orders", key="receipt")
        assert receipt["rows"] == kapture.count("2024-05-08", "2024-05-08")
    assert len(list(tmp_path.rglob("orders_*.jsonl.gz"))) == 1
