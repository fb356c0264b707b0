"""A throw-away Airflow, in place before anything imports Airflow."""

import contextlib
import functools
import os
import tempfile
import warnings

import hypothesis
import pytest
from canary import Canary

_HOME = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes says how busy the machine is, and nothing about the code.
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")
    home = tempfile.TemporaryDirectory(prefix="kapture-tests-", ignore_cleanup_errors=True)
    config.stash[_HOME] = home
    for name in [name for name in os.environ if name.startswith(("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_"))]:
        del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": home.name,
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__CORE__DAGS_FOLDER": str(config.rootpath / "example_dags"),
    }
    watch = Canary()
    watch.release()
    config.pluginmanager.register(watch, "canary")


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[_HOME].cleanup()


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """Airflow's metadata database, empty and of this session alone."""
    from airflow.utils.db import initdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Airflow's own, of its database layers
        initdb()
        _build_the_api_once()


def _build_the_api_once() -> None:
    # Airflow 3.0 to 3.2 build their whole API for each task that runs in this process, which takes seconds.
    with contextlib.suppress(ImportError):
        from airflow.sdk.execution_time import supervisor

        supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)
