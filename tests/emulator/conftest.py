import json

import pytest
from emulator_requests import ask

from airflow_provider_kapture.emulator import Book, Emulator


@pytest.fixture(scope="session")
def running_kapture():
    with Emulator(Book(orders=90, days=3), user="ünï", password='pä:"ss 密') as kapture:
        yield kapture


@pytest.fixture
def kapture(running_kapture):
    running_kapture.reset()
    return running_kapture


@pytest.fixture
def pull(kapture):
    return lambda **asked: ask(kapture, **asked)


@pytest.fixture
def send(kapture):
    """A JSON request to the control plane: its status and answer."""

    def send(method, path, body=None):
        answer = ask(kapture, method=method, path=f"/_emulator/{path}", raw=json.dumps(body or {}).encode())
        return answer.status, answer.body

    return send
