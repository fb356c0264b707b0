"""Runs of a DAG in this process, as Airflow runs them: rendering, mapping and retries included."""

import datetime as dt
import importlib.util
import itertools
import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import DAG

_NUMBER = itertools.count()


@dataclass
class Outcome:
    """What became of a task: of each mapped task its state, tries, XComs and label, and the errors of all."""

    states: list[str] = field(default_factory=list)
    tries: list[int] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    receipts: list[Any] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)


def run_dag(
    build: Callable[[], Any], *, conf: Mapping[str, Any] | None = None, **dag_arguments: Any
) -> dict[str, Outcome]:
    """Run a DAG of its own id, whose tasks ``build`` makes; each may be retried once. The outcomes, by task id."""
    outcomes: dict[str, Outcome] = defaultdict(Outcome)

    def on_failure(context: Any) -> None:
        outcomes[context["ti"].task_id].errors.append(context["exception"])

    of_tasks = {
        "retries": 1,
        "retry_delay": dt.timedelta(0),
        "on_failure_callback": on_failure,
        "on_retry_callback": on_failure,
    }
    start = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own
        dag = DAG(f"run_{next(_NUMBER)}", schedule=None, start_date=start, default_args=of_tasks, **dag_arguments)
        with dag:
            build()
        _register(dag)
        run = dag.test(run_conf=conf and dict(conf))
        for each in sorted(run.get_task_instances(), key=lambda each: each.map_index):
            outcome = outcomes[each.task_id]
            outcome.states.append(str(getattr(each.state, "value", each.state)))
            outcome.tries.append(each.try_number)
            of_task: dict[str, Any] = {"task_ids": each.task_id, "map_indexes": each.map_index}
            outcome.values.append(each.xcom_pull(**of_task))
            outcome.labels.append(each.rendered_map_index)
            outcome.receipts.append(each.xcom_pull(key="receipt", **of_task))
    return dict(outcomes)


def _register(dag: Any) -> None:
    """Write the DAG to Airflow's database, where ``dag.test()`` looks for it from 3.1 on."""
    for module in ("airflow.dag_processing.dagbag", "airflow.models.dagbag"):  # 3.2 and later, 3.1
        found = importlib.util.find_spec(module) and importlib.import_module(module)
        if hasattr(found, "sync_bag_to_db"):
            from airflow.dag_processing.bundles.manager import DagBundlesManager

            DagBundlesManager().sync_bundles_to_db()
            bag = found.DagBag(os.devnull, collect_dags=False)
            bag.bag_dag(dag)
            found.sync_bag_to_db(bag, "dags-folder", None)
            return
