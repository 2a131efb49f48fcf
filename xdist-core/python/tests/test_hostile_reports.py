"""The encoder is total: whatever is in a report, something valid comes out, and what failed stays failed."""

from __future__ import annotations

import os
import textwrap
import types

import inner
import pytest
from _pytest.reports import TestReport

from xdist_worker import spool, status
from xdist_worker.reports import ReportEncoder

RENDERING = {"width": 80, "color": False, "passed_output": True, "junit": True}


class Text(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError("no text")


class Unprintable:
    def __str__(self):
        raise SystemExit(3)

    __repr__ = __str__


class RaisingRepr:
    reprcrash = None

    def toterminal(self, writer):
        writer.line("some")
        raise ZeroDivisionError("half way")

    def __str__(self):
        return "the text"


class RaisingCrash:
    def toterminal(self, writer):
        writer.line("fine")

    @property
    def reprcrash(self):
        raise ValueError("no crash")


def make(**changes):
    fields = {
        "nodeid": "a.py::test",
        "location": ("a.py", 3, "test"),
        "keywords": {},
        "outcome": "failed",
        "longrepr": "text",
        "when": "call",
    }
    fields.update(changes)
    extra = {name: fields.pop(name) for name in list(fields) if name in ("sections", "user_properties", "surprise")}
    report = TestReport(**fields)
    report.__dict__.update(extra)
    return report


@pytest.fixture
def encoder(pytestconfig, monkeypatch):
    # The encoder sets up the writer of this very session.
    writer = pytestconfig.get_terminal_writer()
    monkeypatch.setattr(writer, "hasmarkup", writer.hasmarkup)
    monkeypatch.setattr(writer, "fullwidth", writer.fullwidth)
    return ReportEncoder(pytestconfig, RENDERING)


def is_wire(value):
    """Whether a value is nothing but exact types that msgpack knows and UTF-8 can hold."""
    if type(value) in (list, tuple):
        return all(map(is_wire, value))
    if type(value) is dict:
        return all(type(key) is str and is_wire(item) for key, item in value.items())
    if type(value) is int:
        return -(2**63) <= value < 2**63
    if type(value) is str:
        value.encode("utf-8")
        return True
    return value is None or type(value) in (bool, float)


@pytest.mark.parametrize(
    "longrepr",
    [
        None,
        "",
        "lone \udcff surrogate",
        Text("subclass"),
        Unprintable(),
        RaisingRepr(),
        RaisingCrash(),
        ("path", 2**80, "reason"),
        ("path",),
        17,
        b"bytes",
        {"a": object()},
        RuntimeError("an exception"),
        types.SimpleNamespace(
            toterminal=lambda writer: writer.line("x"),
            reprcrash=types.SimpleNamespace(path=Text("p"), lineno="nan", message=Unprintable()),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("when", ["setup", "call", "teardown", "odd"])
def test_a_failure_stays_a_failure(encoder, longrepr, when):
    data = encoder.report(make(longrepr=longrepr, when=when))
    assert data["outcome"] == "failed"
    assert data["category"] in ("failed", "error")
    assert isinstance(data["longrepr"], dict)
    assert is_wire(data)
    if isinstance(longrepr, RaisingRepr):
        assert "the text" in data["longrepr"]["terminal"]
        assert "ZeroDivisionError" in data["longrepr"]["terminal"]


@pytest.mark.parametrize("longrepr", [("p", 1, "r"), ("p", 2**80, Text("r")), (None, None, Unprintable()), "s", 5])
def test_skips_of_any_shape(encoder, longrepr):
    data = encoder.report(make(outcome="skipped", longrepr=longrepr, when="setup"))
    assert data["category"] == "skipped"
    assert is_wire(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"duration": "long"},
        {"duration": float("nan"), "start": 10**400},
        {"when": Unprintable()},
        {"outcome": Text("failed")},
        {"wasxfail": Unprintable()},
        {"user_properties": [("n", object()), ("big", 2**90), ("s", "\ud800"), (Text("t"), Unprintable())]},
        {"user_properties": ["not a pair at all", 5]},
        {"sections": [("Captured stdout call", 5), (Text("x"), Unprintable())]},
        {"sections": [("one",)]},
        {"sections": 5},
        {"location": None},
        {"keywords": None},
        {"surprise": Unprintable()},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_odd_attributes(encoder, changes):
    data = encoder.report(make(**changes))
    assert data["outcome"] == "failed"
    assert is_wire(data)


def test_properties_become_text(encoder):
    data = encoder.report(make(user_properties=[("big", 2**90), ("s", "\ud800"), ("n", None)]))
    assert data["user_properties"] == [("big", str(2**90)), ("s", "#xD800"), ("n", "None")]


def test_a_report_that_is_no_report(encoder):
    for nothing in (object(), None, 5, types.SimpleNamespace(when="call", outcome="failed")):
        data = encoder.report(nothing)
        assert data["outcome"] == "failed"
        assert is_wire(data)


def test_a_status_hook_that_raises_means_failed():
    def raising(report, config):
        raise LookupError("from a plugin")

    hook = types.SimpleNamespace(pytest_report_teststatus=raising)
    config = types.SimpleNamespace(hook=hook)
    found = status.ask(config, make(outcome="passed", longrepr=None))
    assert found.category == "failed"
    assert "LookupError: from a plugin" in found.trouble
    for nonsense in (("a", "b"), 5, ("a", "b", ("c", 5)), ("a", "b", ("c", {}, "d"))):
        hook.pytest_report_teststatus = lambda report, config, answer=nonsense: answer
        assert status.ask(config, make()).trouble is not None
    hook.pytest_report_teststatus = lambda report, config: None
    assert status.ask(config, make(when="setup")) == ("error", "E", "ERROR", [], None)


def test_a_raising_status_hook_in_a_session(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_report_teststatus(report):\n    if report.when == 'call': raise LookupError('from a plugin')\n",
        encoding="utf-8",
    )
    (tmp_path / "test_a.py").write_text("def test_a(): pass\n", encoding="utf-8")
    # Without the terminal nobody else asks the hook, so that the session itself survives it.
    ran = inner.run(tmp_path, "-p", "no:terminal", color=None)
    (report, _) = ran.data["reports"]
    assert report["outcome"] == report["category"] == "failed"
    assert "LookupError: from a plugin" in report["longrepr"]["terminal"]


def test_long_output_is_cut_and_kept_in_a_file(encoder, pytestconfig):
    content = "first line\n" + "é" * 25_000_000 + "\nlast line\n"
    (title, cut) = encoder.report(make(sections=[("Captured stdout call", content)]))["sections"][0]
    assert title == "Captured stdout call"
    assert len(cut.encode("utf-8")) < spool.LIMIT + 1000
    assert cut.startswith("first line\n")
    assert cut.endswith("\nlast line\n")
    size = len(content.encode("utf-8"))
    assert f"{size - 2 * spool.KEPT} of {size} bytes" in cut
    path = cut.split("the full text is in ")[1].split(" ...]")[0]
    basetemp = str(pytestconfig._tmp_path_factory.getbasetemp())
    assert path.startswith(basetemp)
    with open(path, encoding="utf-8") as file:
        assert file.read() == content
    # The next report of the same test repeats the text, not the file.
    again = encoder.report(make(when="teardown", sections=[("Captured stdout call", content)]))["sections"][0][1]
    assert again == cut
    os.remove(path)


SUITE = """
    import sys
    import warnings
    import pytest

    class Bad:
        def __repr__(self):
            raise RuntimeError("repr")
        __str__ = __repr__

    class BadError(Exception):
        def __str__(self):
            raise RuntimeError("str")
        __repr__ = __str__

    def test_bad_repr():
        bad = Bad()
        assert bad == 1

    def test_bad_error():
        raise BadError

    def test_surrogate_message():
        assert 0, "lone \\udcff surrogate, and \\u00e9"

    def test_surrogate_output(capsys):
        print("x" * 10, "\\u00e9")
        assert 0

    @pytest.mark.parametrize("value", [10**400], ids=["huge"])
    def test_property(record_property, value):
        record_property("object", object())
        record_property("huge", 2**70)

    class Word(str):
        pass

    def test_str_subclass():
        pytest.fail(Word("a word"), pytrace=False)
"""


def test_hostile_tests_in_a_session(tmp_path):
    (tmp_path / "test_a.py").write_text(textwrap.dedent(SUITE), encoding="utf-8")
    ran = inner.run(tmp_path, rendering={"junit": True})
    failed = ran.reports("failed")
    assert len(failed) == 5
    assert inner.rebuilt(failed, [report["head_line"] for report in failed], False) == ran.block("FAILURES")
    recorded = [dict(report["user_properties"]) for report in ran.data["reports"] if "user_properties" in report]
    assert recorded
    assert recorded[0]["huge"] == str(2**70)
