"""Results of several environments in pytest's own reporter."""

from __future__ import annotations

from types import SimpleNamespace

from _pytest.reports import getworkerinfoline

from xdist_worker.host.environments import count_pairs, group_failures, label_summary
from xdist_worker.host.nodes import NodeManager


def test_each_worker_s_tests_are_counted():
    terminal = SimpleNamespace(_progress_nodeids_reported=set())
    pairs = count_pairs(terminal)
    for worker in ("gw0", "gw1"):
        pairs.worker = worker
        for nodeid in ("a", "b", "a"):
            terminal._progress_nodeids_reported.add(nodeid)
    assert len(terminal._progress_nodeids_reported) == 4


def test_a_reporter_that_counts_otherwise_is_left_alone():
    for terminal in (None, SimpleNamespace(), SimpleNamespace(_progress_nodeids_reported=3)):
        assert count_pairs(terminal) is None


def test_failures_of_a_test_stand_together():
    def report(nodeid, worker=None, when="call"):
        return SimpleNamespace(nodeid=nodeid, when=when, **({"worker_id": worker} if worker else {}))

    failed = [report("b", "gw10"), report("a", "gw2"), report("b", "gw9"), report("a", "gw0")]
    errors = [report("b", "gw1", "setup"), report("b", "gw1", "teardown"), report("test_broken.py")]
    terminal = SimpleNamespace(stats={"failed": failed, "error": errors, "deselected": [None]})
    group_failures(terminal, ["a", "b"])
    assert [(one.nodeid, one.worker_id) for one in failed] == [("a", "gw0"), ("a", "gw2"), ("b", "gw9"), ("b", "gw10")]
    assert [(one.nodeid, one.when) for one in errors] == [
        ("test_broken.py", "call"),
        ("b", "setup"),
        ("b", "teardown"),
    ]
    group_failures(None, ["a"])


def test_the_short_summary_says_where_and_reports_stay_as_they_are():
    shown = []

    class Report(SimpleNamespace):
        def _get_verbose_word(self, config):
            return f"FAILED {self.nodeid}"

    failed = [Report(nodeid="a::b", worker_id=worker) for worker in ("gw0", "gw1", "gw7")]
    collecting = Report(nodeid="broken.py")
    stats = {"failed": failed, "error": [collecting], "deselected": [None]}
    terminal = SimpleNamespace(stats=stats)

    def summary():
        for report in terminal.stats["failed"] + terminal.stats["error"]:
            shown.append((report.nodeid, report._get_verbose_word(None)))
        raise KeyError

    terminal.short_test_summary = summary
    label_summary(terminal, ["here", ""])
    try:
        terminal.short_test_summary()
    except KeyError:
        assert terminal.stats is stats
    ids = ["a::b [here]", "a::b", "a::b", "broken.py"]
    assert shown == [(nodeid, f"FAILED {nodeid.split()[0]}") for nodeid in ids]
    assert [report.nodeid for report in failed] == ["a::b"] * 3
    label_summary(None, ["here"])
    label_summary(SimpleNamespace(), ["here"])


def test_what_pytest_writes_above_a_failure_names_the_environment():
    manager = NodeManager(None, ["popen", "popen//python=other"], "run", [])
    node = manager.make("gw1")
    here = getworkerinfoline(node)
    manager.interpreters["gw1"] = {
        "version": "3.12.1",
        "implementation": "CPython",
        "platform": "linux",
        "executable": "/other",
    }
    manager.labels["gw1"] = "py312@box"
    node.runs_on(manager.interpreters["gw1"], "py312@box")
    said = "[gw1] linux -- Python 3.12.1 /other [py312@box]"
    assert getworkerinfoline(node) == said != here
    # So does that of a replacement.
    assert getworkerinfoline(manager.make("gw1")) == said
    assert getworkerinfoline(manager.make("gw0")).startswith("[gw0] ")
