import signal
import sys

import pytest


@pytest.fixture
def tidies_up_when_stopped():
    """SIGTERM ends a test as a failure does, and not without what it has to stop."""
    usual = signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped by SIGTERM"))
    yield
    signal.signal(signal.SIGTERM, usual)
