"""An encoder on a thread of its own does what it would do here, and says here what went wrong."""

from __future__ import annotations

import io
import threading

import msgspec
import pytest

from airflow_provider_kapture.storage.encoders.background import BackgroundEncoder
from airflow_provider_kapture.storage.encoders.jsonl import JsonLinesEncoder

RAWS = [[msgspec.Raw(b'{"id":%d}' % number)] for number in range(50)]


class Failing:
    def __init__(self, error, after=0):
        self.error = error
        self.after = after
        self.written = 0
        self.closed = False

    def write(self, raws):
        if self.written == self.after:
            raise self.error
        self.written += 1

    def close(self):
        self.closed = True


def write_all(encoder):
    for raws in RAWS:
        encoder.write(raws)


# Threads of other tests, such as those that leave a spool behind on purpose.
BEFORE = set()


@pytest.fixture(autouse=True)
def other_threads():
    BEFORE.update(threading.enumerate())


def encoders():
    return [each for each in threading.enumerate() if each.name == "kapture-encoder" and each not in BEFORE]


def test_orders_are_written_in_their_order():
    sink = io.BytesIO()
    encoder = BackgroundEncoder(JsonLinesEncoder(sink))
    write_all(encoder)
    encoder.close()
    assert sink.getvalue().splitlines() == [bytes(raw) for raws in RAWS for raw in raws]
    assert not encoders()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_what_goes_wrong_is_raised_where_orders_come_from(error):
    failing = Failing(error, after=3)
    encoder = BackgroundEncoder(failing)
    with pytest.raises(type(error)) as raised:
        write_all(encoder)
    assert raised.value is error
    with pytest.raises(type(error)):
        encoder.close()
    assert not failing.closed
    assert not encoders()


def test_what_goes_wrong_with_the_last_orders_is_raised_by_close():
    failing = Failing(OSError("broken"))
    encoder = BackgroundEncoder(failing)
    encoder.write(RAWS[0])
    with pytest.raises(OSError, match="broken"):
        encoder.close()
    assert not failing.closed


class Held:
    """An encoder that writes once it is let go."""

    def __init__(self):
        self.begun, self.go = threading.Event(), threading.Event()
        self.written = 0

    def write(self, raws):
        self.begun.set()
        self.go.wait(30)
        self.written += 1

    def close(self):
        raise AssertionError


def test_an_encoder_that_is_given_up_writes_no_more_and_ends():
    held = Held()
    encoder = BackgroundEncoder(held)
    for raws in RAWS[:2]:
        encoder.write(raws)
    assert held.begun.wait(30)
    ending = threading.Thread(target=encoder.abort)
    ending.start()
    while not encoder._is_aborted:
        pass
    held.go.set()
    ending.join(30)
    assert held.written == 1
    assert not encoders()
    encoder.abort()


def test_there_is_nothing_to_give_up_after_the_end():
    encoder = BackgroundEncoder(JsonLinesEncoder(io.BytesIO()))
    write_all(encoder)
    encoder.close()
    encoder.abort()
    assert not encoders()


def test_without_orders_there_is_no_thread():
    sink = io.BytesIO()
    encoder = BackgroundEncoder(JsonLinesEncoder(sink))
    assert not encoders()
    encoder.close()
    assert sink.getvalue() == b""


def test_an_interrupted_start_of_the_thread_still_ends(monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    encoder = BackgroundEncoder(JsonLinesEncoder(io.BytesIO()))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            encoder.write(RAWS[0])
    encoder.abort()
    assert not encoders()
