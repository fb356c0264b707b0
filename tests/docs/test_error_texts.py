"""The search for error messages finds them, whatever the helpers are called that build them."""

from pathlib import Path

import pytest
from error_texts import Message, messages

SOURCE = """
_CONSTANT = "the order of the pages changed"

def whole(text):
    return OurError(f"The pages do not fit: {text}", path="/")

def check(host, answer):
    wrong = f"Connection field `host` is {host!r}: "
    if not host:
        raise OurError(wrong + "give a name")
    if answer.repeats:
        raise whole(_CONSTANT.format(answer))
    if answer.strange:
        raise whole(text=f"{answer} rows came back twice")
    message = f"{host} refused the connection"
    if answer.late:
        message = f"{host} did not answer in time"
    raise errors.OurError(message)

def described(path, value):
    if not value:
        return f"{path} has no value in this run"
    return f"{path} holds {value!r}, which is no text"

def check_value(path, value):
    raise OurError(described(path, value))

class Check:
    def wrong(self, key, wanted):
        return OurError(f"Setting `{key}` has another value: it must be {wanted}")

    def spool(self, error):
        raise OSError(error.errno, f"{error} while orders were written")

    def key(self, error):
        self.wrong("key", "a number above 0")
        raise OurError(str(error))
"""
FOUND = {
    Message("sample", "OurError", "The pages do not"),
    Message("sample", "OurError", "the order of the"),
    Message("sample", "OurError", "rows came back twice"),
    Message("sample", "OurError", "Connection field host is"),
    Message("sample", "OurError", "refused the connection"),
    Message("sample", "OurError", "did not answer in"),
    Message("sample", "OurError", "has another value: it"),
    Message("sample", "OurError", "has no value in"),
    Message("sample", "OurError", "which is no text"),
    Message("sample", "OSError", "while orders were written"),
}


def package(folder: Path, source: str) -> Path:
    (folder / "sample.py").write_text(source, encoding="utf-8")
    return folder


def test_each_way_to_build_a_message_is_found(tmp_path):
    assert set(messages(package(tmp_path, SOURCE), ["OurError", "OSError"])) == FOUND


@pytest.mark.parametrize("source", ["raise OurError(f'{what}')", "raise OurError(str.join(' ', words))"])
def test_a_message_without_fixed_words_is_an_error(tmp_path, source):
    with pytest.raises(AssertionError, match="no fixed words"):
        messages(package(tmp_path, source), ["OurError"])


def test_a_folder_that_is_left_out_must_be_there(tmp_path):
    with pytest.raises(AssertionError, match="does not exist"):
        messages(package(tmp_path, SOURCE), ["OurError"], ["renamed"])
