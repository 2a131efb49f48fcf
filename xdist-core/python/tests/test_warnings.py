"""Warnings travel as the texts that pytest's summary prints."""

from __future__ import annotations

import textwrap
import warnings

import inner

from xdist_worker.warnings_ import encode_warning


def test_text_is_that_of_the_summary(tmp_path):
    (tmp_path / "test_a.py").write_text(
        textwrap.dedent(
            """
            import warnings

            warnings.warn("at import")

            def test_a():
                warnings.warn(DeprecationWarning("in é test"))
            """
        ),
        encoding="utf-8",
    )
    ran = inner.run(tmp_path)
    collect, runtest = ran.data["warnings"]
    assert (collect["when"], collect["nodeid"]) == ("collect", "")
    assert collect["location"] == [str(tmp_path / "test_a.py"), 4]
    assert (runtest["when"], runtest["nodeid"]) == ("runtest", "test_a.py::test_a")
    summary = ran.block("warnings summary")
    for warning in (collect, runtest):
        indented = "\n".join("  " + line for line in warning["message"].splitlines()).rstrip()
        assert indented in summary


def test_a_warning_whose_text_raises():
    class Odd(UserWarning):
        def __str__(self):
            raise RuntimeError("no")

    caught = warnings.WarningMessage(Odd(), Odd, "a.py", 1)
    data = encode_warning(caught, "runtest", "a::\udcff", None)
    assert "Odd" in data["message"]
    assert data["nodeid"] == "a::\\udcff"
    assert encode_warning(object(), "config", "", None) is None
