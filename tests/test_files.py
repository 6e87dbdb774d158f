"""Files are written as a whole or not at all."""

import json
import math
import os
from pathlib import Path

import pytest

from rnnlab.files import write_atomically, write_json


@pytest.mark.parametrize("fault", [(os, "fsync"), (Path, "replace")], ids=["flush", "rename"])
def test_write_that_fails_leaves_the_old_content_and_no_other_file(tmp_path, monkeypatch, fault):
    def fail(*_):
        raise OSError(28, "No space left on device")

    file = tmp_path / "file"
    write_atomically(file, b"old")
    monkeypatch.setattr(*fault, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(file, b"new and longer")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_write_replaces_the_whole_file(tmp_path):
    for content in (b"long content", b"short", b""):
        write_atomically(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
        assert len(list(tmp_path.iterdir())) == 1


def test_json_holds_null_for_what_json_lacks_and_text_as_it_is(tmp_path):
    write_json(tmp_path / "x.json", {"ä": [1.5, math.nan, (math.inf, 2)], "b": {"c": -math.inf}})
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert "ä" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"ä": [1.5, None, [None, 2]], "b": {"c": None}}
