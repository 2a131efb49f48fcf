"""The same file and test names as in other directories."""

from __future__ import annotations

import pytest


def test_pass(tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    print("seen by capsys")
    assert capsys.readouterr().out == "seen by capsys\n"


@pytest.mark.parametrize("value", range(20))
def test_many(value):
    assert value != 13
