"""Reports for a plugin host: which are not sent, and that those which are sent arrive whole."""

from __future__ import annotations

import inspect

import pytest
from _pytest.reports import TestReport

from xdist_worker.host import retold
from xdist_worker.portable import pack, unpack
from xdist_worker.reports import ReportEncoder
from xdist_worker.whole_reports import WholeReports, described

NODEID = "a.py::test"
LOCATION = ("a.py", 3, "test")


def make(when="call", outcome="passed", longrepr=None, **more):
    report = TestReport(NODEID, LOCATION, {"a": 1}, outcome, longrepr, when)
    report.__dict__.update(more)
    return report


class Encoding:
    def __init__(self, config):
        self.config = config
        self.blanks = []
        self.nodeid = NODEID
        self.encoder = WholeReports(config, lambda when, data: self.blanks.append((when, unpack(data))), self.current)

    def current(self):
        return self.nodeid

    def test(self, **more):
        """For each phase of a test, whether its report is not sent."""
        return [self.told(make(when, **more)) for when in ("setup", "call", "teardown")]

    def told(self, report):
        if self.encoder.is_plain(report):
            return True
        self.encoder.encode(report)
        return False

    def retold(self, report):
        """What the host has of it."""
        return retold.report_of(self.config, self.encoder.encode(report)["raw"])[0]


@pytest.fixture
def encoding(pytestconfig):
    return Encoding(pytestconfig)


def test_both_encoders_are_called_alike():
    for name in ("is_plain", "encode", "plain"):
        kinds = (WholeReports, ReportEncoder)
        ours, other = (list(inspect.signature(getattr(kind, name)).parameters) for kind in kinds)
        assert [name for name in ours if name != "self"] == [name for name in other if name != "self"], name


def test_plain_passes_are_not_sent(encoding):
    assert encoding.test() == [True, True, True]
    assert encoding.blanks == []


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "failed"},
        {"longrepr": "text"},
        {"sections": [("Captured stdout call", "x")]},
        {"user_properties": [("a", 1)]},
        {"nodeid": "another.py::test"},
        {"_a_plugins": 3},
        {"wasxfail": ""},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_says_something_is_sent(encoding, changes):
    first = encoding.test()
    assert first == [True, True, True]
    assert encoding.told(make("setup"))
    assert not encoding.told(make("call", **changes))
    assert not encoding.told(make("teardown")), "reports of a test stay in order"
    assert encoding.test() == [True, True, True], "the next test is another matter"


def test_a_subclass_is_sent(encoding):
    class Special(TestReport):
        pass

    assert not encoding.told(Special(NODEID, LOCATION, {}, "passed", None, "setup"))


def test_empty_attributes_are_told_once_by_phase(encoding):
    assert encoding.test(extras=[], _json=None) == [True, True, True]
    assert encoding.test(extras=[], _json=None) == [True, True, True]
    assert encoding.blanks == [(when, {"extras": [], "_json": None}) for when in ("setup", "call", "teardown")]


def test_other_attributes_than_the_empty_ones_are_sent(encoding):
    assert encoding.test(extras=[]) == [True, True, True]
    assert encoding.test(extras=["something"])[0] is False
    assert encoding.test()[0] is False, "an attribute is missing"
    assert encoding.test(extras=())[0] is False, "of another type"
    assert encoding.test(extras=[], more=None)[0] is False
    assert len(encoding.blanks) == 3


def test_attributes_that_are_not_empty_are_no_blanks(encoding):
    assert encoding.test(extras=[1])[0] is False
    assert encoding.blanks == []
    assert encoding.test()[0] is True


def test_a_report_arrives_with_all_that_plugins_put_on_it(encoding):
    extra = {"html": ["<b>", b"\xff"], "numbers": (1, 2.5), "nested": {"a": {"b": None}}}
    fields = {"user_properties": [("p", 1)], "sections": [("S", "text")], **extra}
    report = make(outcome="failed", longrepr="the reason", **fields)
    arrived = encoding.retold(report)
    assert type(arrived) is TestReport
    for name in ("nodeid", "location", "keywords", "outcome", "longrepr", "when", "user_properties", "duration"):
        assert getattr(arrived, name) == getattr(report, name), name
    assert [tuple(section) for section in arrived.sections] == [("S", "text")]
    for name, value in extra.items():
        assert getattr(arrived, name) == value, name


def test_properties_read_as_in_junit(encoding):
    class Odd:
        def __str__(self):
            return "odd"

    values = [1, (1, [{"x": object}]), Odd(), {"a"}, None]
    arrived = encoding.retold(make(user_properties=[("p", value) for value in values]))
    assert [str(value) for _, value in arrived.user_properties] == [str(value) for value in values]


def test_a_failure_is_told_in_short_as_well(encoding):
    data = encoding.encoder.encode(make(outcome="failed", longrepr="the reason"))
    assert data["longrepr"]["terminal"] == "the reason\n" and data["longrepr"]["plain"] == "the reason"
    data = encoding.encoder.encode(make(outcome="failed", longrepr="x" * 50_000))
    assert len(data["longrepr"]["plain"]) < 21_000
    assert "longrepr" not in encoding.encoder.encode(make(outcome="skipped", longrepr=("a.py", 1, "why")))


class Hostile:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__

    def __getattr__(self, name):
        raise RuntimeError(name)


@pytest.mark.parametrize(
    "changes",
    [
        {"longrepr": Hostile()},
        {"longrepr": b"bytes"},
        {"longrepr": ("path",)},
        {"extra": Hostile()},
        {"sections": Hostile()},
        {"sections": [("a", Hostile())]},
        {"user_properties": Hostile()},
        {"user_properties": [1, Hostile()]},
        {"keywords": {Hostile(): 1}},
        {"duration": "long"},
        {"location": None},
        {"nodeid": Hostile()},
        {"outcome": Hostile()},
        {"when": Hostile()},
        {"knot": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_failure_stays_a_failure(encoding, changes):
    report = make(outcome="failed", longrepr="x")
    report.__dict__.update(changes)
    if "knot" in changes:
        report.knot = [report]
    encoding.encoder.is_plain(report)
    data = encoding.encoder.encode(report)
    if "outcome" not in changes:
        assert data["outcome"] == "failed"
    assert isinstance(data["raw"], bytes)
    told = unpack(data["raw"])
    assert told["$report_type"] == "TestReport"
    if "outcome" not in changes:
        assert told["outcome"] == "failed"


def test_a_serialiser_that_raises_loses_only_details(encoding, monkeypatch):
    class Hook:
        def pytest_report_to_serializable(self, config, report):
            raise ValueError("a broken plugin")

    class Config:
        hook = Hook()
        stash = encoding.config.stash

    monkeypatch.setattr(encoding.encoder, "_config", Config())
    told = unpack(encoding.encoder.encode(make(outcome="failed", longrepr="the reason"))["raw"])
    assert told["nodeid"] == NODEID and told["outcome"] == "failed"
    assert "the reason" in told["longrepr"] and "ValueError: a broken plugin" in told["longrepr"]


class Item:
    def __init__(self, location, keywords):
        self.location, self.keywords = location, keywords


def test_the_host_makes_plain_reports_by_itself():
    tests = retold.Tests([NODEID, "b.py::odd"], described([Item(LOCATION, {"a": 1, "b": 2}), Item("nonsense", {})]))
    reports = tests.passed(0, (1.0, 2.0, 3.0), {"call": pack({"extras": []})}, {})
    assert [report.when for report in reports] == ["setup", "call", "teardown"]
    assert [report.duration for report in reports] == [1.0, 2.0, 3.0]
    assert all(report.passed and report.location == LOCATION for report in reports)
    assert all(set(report.keywords) == {"a", "b"} for report in reports)
    assert reports[1].extras == [] and not hasattr(reports[0], "extras")
    assert vars(reports[0]).keys() == vars(make()).keys()
    if hasattr(reports[0], "start"):
        for before, after in zip(reports, reports[1:]):
            assert before.stop == pytest.approx(after.start)
    assert tests.location(1) == ("", None, "")
    assert tests.location(0) == LOCATION


def test_reports_that_the_host_makes_are_those_that_pytest_makes():
    tests = retold.Tests([NODEID], described([Item(LOCATION, {"a": 1})]))
    marks = {"worker_id": "gw1", "item_index": 0}
    reports = tests.passed(0, (1.0, 2.0, 3.0), {"setup": pack({"extras": []})}, marks)
    for when, duration, report in zip(("setup", "call", "teardown"), (1.0, 2.0, 3.0), reports):
        times = {name: vars(report)[name] for name in ("start", "stop") if hasattr(report, name)}
        extra = {**times, **({"extras": []} if when == "setup" else {}), **marks}
        expected = TestReport(NODEID, LOCATION, {"a": 1}, "passed", None, when, duration=duration, **extra)
        assert list(vars(report).items()) == list(vars(expected).items())
    for name in ("keywords", "sections", "user_properties"):
        assert len({id(getattr(report, name)) for report in reports}) == 3
