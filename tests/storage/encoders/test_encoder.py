"""Orders are encoded by a thread as they would be without it, and its errors are raised where the orders are added."""

from __future__ import annotations

import hashlib
import io
import threading

import msgspec
import pytest

from airflow_provider_kapture.storage.encoders import encoder as encoders
from airflow_provider_kapture.storage.encoders import formats
from airflow_provider_kapture.storage.encoders.encoder import BackgroundEncoder
from airflow_provider_kapture.storage.encoders.formats import ENCODERS
from airflow_provider_kapture.storage.encoders.report import Report

RAWS = [msgspec.Raw(b'{"id":%d}' % number) for number in range(50)]


class Failing:
    """An encoder that fails.

    :param after: blocks that it takes before that
    """

    reads_orders = True

    def __init__(self, error, after=0):
        self.error = error
        self.left = after
        self.closed = False

    def write(self, _raws, _lines):
        if not self.left:
            raise self.error
        self.left -= 1

    def close(self):
        self.closed = True


class Held:
    """An encoder that writes once it is let go."""

    reads_orders = True

    def __init__(self):
        self.begun, self.go = threading.Event(), threading.Event()
        self.written = 0

    def write(self, _raws, _lines):
        self.begun.set()
        assert self.go.wait(30)
        self.written += 1

    def close(self):
        raise AssertionError


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Make a block of each order."""
    monkeypatch.setattr(formats, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(encoders, "_BATCH_ROWS", 1)


@pytest.fixture
def threads():
    """Return the threads that the test has started, and that still run."""
    before = set(threading.enumerate())
    return lambda: {each for each in threading.enumerate() if each.name.startswith("kapture-encoder")} - before


def test_orders_keep_their_sequence(threads):
    sink = io.BytesIO()
    encoder = ENCODERS["jsonl.gz"](sink)
    encoder.write(RAWS)
    assert threads()
    encoder.close()
    assert not threads()
    assert encoder.report.content.hexdigest() == hashlib.sha256(b"".join(b"%b\n" % raw for raw in RAWS)).hexdigest()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_an_error_is_raised_where_orders_are_added(error, threads):
    failing = Failing(error, after=3)
    encoder = BackgroundEncoder(failing, Report(), 1)
    with pytest.raises(type(error)) as raised:
        encoder.write(RAWS)
    assert raised.value is error
    encoder.stop()
    assert not failing.closed
    assert not threads()


def test_an_error_of_the_last_orders_is_raised_by_close():
    failing = Failing(OSError("broken"))
    encoder = BackgroundEncoder(failing, Report(), 1)
    encoder.write(RAWS[:1])
    with pytest.raises(OSError, match="broken"):
        encoder.close()
    assert not failing.closed


def test_an_encoder_that_is_stopped_ends_with_the_block_that_it_has_begun(threads, monkeypatch):
    monkeypatch.setattr(encoders, "_MAX_BLOCKS", 2)
    held = Held()
    encoder = BackgroundEncoder(held, Report(), 1)
    encoder.write(RAWS[:2])
    assert held.begun.wait(30)
    stopping = threading.Thread(target=encoder.stop)
    stopping.start()
    # The waiting block is cancelled first.
    while not encoder._blocks[-1].cancelled():
        pass
    held.go.set()
    stopping.join(30)
    assert held.written == 1
    assert not threads()


def test_no_more_blocks_wait_than_memory_is_meant_for(threads):
    held = Held()
    encoder = BackgroundEncoder(held, Report(), 1)
    adding = threading.Thread(target=encoder.write, args=(RAWS,))
    adding.start()
    assert held.begun.wait(30)
    while len(encoder._blocks) <= encoders._MAX_BLOCKS:
        pass
    assert adding.is_alive()
    assert len(encoder._blocks) == encoders._MAX_BLOCKS + 1
    held.go.set()
    adding.join(30)
    encoder.stop()
    assert not threads()


@pytest.mark.parametrize("end", ["close", "stop"])
def test_without_orders_there_is_no_thread(end, threads):
    sink = io.BytesIO()
    encoder = ENCODERS["jsonl"](sink)
    getattr(encoder, end)()
    encoder.stop()
    assert not threads()
    assert sink.getvalue() == b""
