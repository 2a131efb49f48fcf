"""What is answered at once about plain passes is what pytest would answer."""

from __future__ import annotations

import io

import pytest
from _pytest._io import TerminalWriter
from _pytest.config import _prepareconfig
from _pytest.reports import TestReport

from xdist_worker.host.quick import Quick

INFO = {"id": "gw1", "sysplatform": "linux", "version_info": (3, 11, 7, "final", 0), "executable": "/opt/python"}


class Node:
    workerinfo = INFO


class Says:
    """A plugin that has something to say of every report."""

    def pytest_report_teststatus(self, report):
        return "own", "o", report.when.upper()


def made(when="call", outcome="passed", longrepr=None, node=True):
    report = TestReport("a.py::test", ("a.py", 0, "test"), {}, outcome, longrepr, when)
    if node:
        report.node = Node()
    return report


@pytest.fixture
def config(tmp_path):
    """Make a configuration."""
    found = _prepareconfig(["--rootdir", str(tmp_path), "-p", "no:cacheprovider", str(tmp_path)])
    found._do_configure()
    yield found
    found._ensure_unconfigure()


def asked(config, report):
    return tuple(config.hook.pytest_report_teststatus(report=report, config=config))


def written(report):
    file = io.StringIO()
    report.toterminal(TerminalWriter(file))
    return file.getvalue().strip()


def test_the_text_is_what_pytest_writes(config):
    Quick(config)
    Quick(config)
    for report in (made(), made(node=False), made("setup"), made(outcome="failed", longrepr="it\nbroke")):
        assert report.longreprtext == written(report)
    assert "[gw1]" in made().longreprtext and "broke" in made(outcome="failed", longrepr="it\nbroke").longreprtext


def test_the_status_is_pytests(config):
    quick = Quick(config)
    usual = {when: asked(config, made(when)) for when in ("setup", "call", "teardown")}
    own = config.hook.pytest_report_teststatus
    with quick.at_hand():
        for when, answer in usual.items():
            report = made(when)
            quick.show(report)
            assert quick.report is report
            assert asked(config, report) == answer
            # One that a plugin kept, or has changed.
            failed = made(when, "failed")
            assert asked(config, failed)[0] == ("failed" if when == "call" else "error")
            report.wasxfail = "known"
            assert asked(config, report) == ("xpassed", "X", "XPASS")[: len(answer)] or when != "call"
    assert config.hook.pytest_report_teststatus is own


def test_a_plugin_that_says_something_is_asked(config):
    quick = Quick(config)
    with quick.at_hand():
        plugin = Says()
        config.pluginmanager.register(plugin)
        report = made("setup")
        quick.show(report)
        assert asked(config, report) == ("own", "o", "SETUP")
        config.pluginmanager.unregister(plugin)
        quick.show(report)
        assert asked(config, report) == ("", "", "")
