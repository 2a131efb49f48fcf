"""A worker's terminal reporter is there for whoever looks it up, and says nothing by itself."""

from __future__ import annotations

import textwrap

import inner

CONFTEST = """
    import pytest
    from xdist_worker.quiet_terminal import quieten

    @pytest.hookimpl(trylast=True)
    def pytest_configure(config):
        for _ in range(2):
            quieten(config, {"width": 70, "color": True})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(session):
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.mark = "kept"
        reporter.write_line(f"written {reporter.mark} {reporter._tw.fullwidth}", red=True)
        assert session.config.get_terminal_writer().hasmarkup
"""


def test_quiet_and_still_there(tmp_path):
    (tmp_path / "conftest.py").write_text(textwrap.dedent(CONFTEST), encoding="utf-8")
    (tmp_path / "test_a.py").write_text("def test_a():\n    assert {1: 2} == {1: 3}\n", encoding="utf-8")
    # `--color` is not given to the reporter: the run's colours are.
    ran = inner.run(tmp_path, color=None)
    assert ran.out.strip() == "\x1b[31mwritten kept 70\x1b[0m"
    assert ran.exit == 1
    loud = inner.run(tmp_path, "-p", "no:terminal", color=None, check=False)
    assert "AttributeError" in loud.out + loud.err


def test_explanations_are_highlighted_as_in_serial_pytest(tmp_path):
    (tmp_path / "test_a.py").write_text("def test_a():\n    assert {1: 2} == {1: 3}\n", encoding="utf-8")
    serial = inner.run(tmp_path, color=True)
    (tmp_path / "conftest.py").write_text(textwrap.dedent(CONFTEST), encoding="utf-8")
    quiet = inner.run(tmp_path, color=None, rendering={"color": True})
    assert serial.reports("failed")[0]["longrepr"] == quiet.reports("failed")[0]["longrepr"]
