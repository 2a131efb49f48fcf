"""Reports for a plugin host: whole, as pytest serialises them, with everything that plugins put on them.

The controller learns of each only what its bookkeeping needs. A report without anything of its own is not sent at
all: the host makes its equal from what the collector told of the test (`described`). Attributes that a plugin leaves
empty on every report are told once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from _pytest.reports import TestReport

from . import status
from .here import Here
from .junit_stub import stub_of
from .portable import is_plain, pack
from .render import crash_of
from .safe_text import attribute, integer, seconds, text

XML_ATTRIBUTES = "_xdist_xml_attributes"
"""Under this name the attributes of `record_xml_attribute` travel with a report of the teardown."""

# Characters of a failure that the controller keeps.
_MOST = 20_000
_BLANK = (list, dict, tuple, str, type(None))
_OWN = frozenset(vars(TestReport("", ("", 0, ""), {}, "passed", None, "call")))


class WholeReports:
    """Encodes the reports of one worker; the interface of `ReportEncoder`."""

    def __init__(
        self,
        config: Any,
        tell_blanks: Callable[[str, bytes], None],
        current_nodeid: Callable[[], str],
        here: Here | None = None,
    ) -> None:
        self._config = config
        self._here = here or Here(())
        self._current_nodeid = current_nodeid
        self._sent = False
        self._tell_blanks = tell_blanks
        # By phase: empty attributes that plugins put on a report, as the host knows them.
        self._blanks: dict[str, dict[str, Any]] = {}

    def is_plain(self, report: Any) -> bool:
        """Return whether the host can make `report` by itself; else `encode` it."""
        try:
            if report.when == "setup":
                self._sent = False
            if (
                not self._sent
                and type(report) is TestReport
                and report.outcome == "passed"
                and report.longrepr is None
                and not report.sections
                and not report.user_properties
                and report.nodeid == self._current_nodeid()
                and self._adds_nothing(report)
                and not self._has_attributes(report)
            ):
                return True
        except Exception:
            # A report that is not even shaped like one: the long way copes with it.
            self._sent = True
        return False

    def plain(self, report: Any) -> dict[str, object]:
        """Return the data of a report that `is_plain`."""
        return self.encode(report)

    def _adds_nothing(self, report: TestReport) -> bool:
        """Whether the report has pytest's own attributes and the empty ones that every report of its phase has."""
        names = report.__dict__
        when = report.when
        blanks = self._blanks.get(when)
        if blanks is None:
            if names.keys() == _OWN:
                self._blanks[when] = {}
                return True
            blanks = {name: value for name, value in names.items() if name not in _OWN}
            if not _OWN <= names.keys() or any(value or type(value) not in _BLANK for value in blanks.values()):
                return False
            self._blanks[when] = {name: type(value) for name, value in blanks.items()}
            self._tell_blanks(when, pack(blanks))
            return True
        if len(names) != len(_OWN) + len(blanks):
            return False
        for name, kind in blanks.items():
            value = names.get(name, self)
            if type(value) is not kind or value:
                return False
        return _OWN <= names.keys()

    def _has_attributes(self, report: TestReport) -> bool:
        stub = stub_of(self._config)
        return stub is not None and stub.has_attributes(report.nodeid)

    def encode(self, report: Any, nodeid: str | None = None) -> dict[str, object]:
        """Return the data of `report`; the reports of the same test that follow are none that the host can make."""
        self._sent = True
        # Asked in each process that makes reports: it may change them (a test whose subtests failed becomes failed).
        found = status.ask(self._config, report)
        when = text(attribute(report, "when", ""))
        outcome = text(attribute(report, "outcome", "failed")) if found.trouble is None else "failed"
        duration = seconds(attribute(report, "duration", 0.0))
        start = seconds(attribute(report, "start", 0.0)) or time.time() - duration
        data: dict[str, object] = {"when": when, "outcome": outcome, "duration": duration, "start": start}
        data.update(category=found.category, letter=found.letter, word=found.word)
        if attribute(report, "wasxfail") is not None:
            data["wasxfail"] = text(report.wasxfail)
        if outcome == "failed":
            data["longrepr"] = self._here(_in_short(report))
        serial = serialised(self._config, report, self._here)
        if when == "teardown":
            stub = stub_of(self._config)
            attributes = stub.take_attributes(attribute(report, "nodeid")) if stub is not None else []
            if attributes:
                serial[XML_ATTRIBUTES] = attributes
        data["raw"] = pack(serial)
        return data


def _in_short(report: Any) -> dict[str, object]:
    """The failure as text, which is shown if the host dies."""
    longrepr = attribute(report, "longrepr")
    words = text("" if longrepr is None else attribute(report, "longreprtext") or longrepr)
    if len(words) > _MOST:
        words = f"{words[:_MOST]}\n..."
    data: dict[str, object] = {"terminal": f"{words}\n", "plain": words}
    crash = crash_of(longrepr)
    if crash is not None:
        crash["message"] = text(crash["message"])[:_MOST]
        data["crash"] = crash
    return data


def serialised(config: Any, report: Any, here: Here | None = None) -> dict[str, Any]:
    """`report` as pytest and its plugins serialise it; what they cannot is kept as far as it can be told."""
    data = _serialised(config, report)
    if here is not None and data.get("longrepr") is not None:
        data["longrepr"] = here(data["longrepr"])
    return data


def _serialised(config: Any, report: Any) -> dict[str, Any]:
    try:
        data = config.hook.pytest_report_to_serializable(config=config, report=report)
        if isinstance(data, dict):
            _tell_properties(data)
            return data
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return _told(report, f"{type(error).__name__}: {text(error)}")
    return _told(report, "no plugin serialises it")


def _tell_properties(data: dict[str, Any]) -> None:
    """Properties that hold more than plain values become text, the text that junit.xml would have of them."""
    properties = data.get("user_properties")
    if properties and not is_plain(properties):
        data["user_properties"] = [
            entry if is_plain(entry) else tuple(part if is_plain(part) else text(part) for part in entry)
            for entry in properties
        ]


def _told(report: Any, why: str) -> dict[str, Any]:
    longrepr = attribute(report, "longrepr")
    words = "" if longrepr is None else text(attribute(report, "longreprtext") or longrepr)
    failed = attribute(report, "outcome") == "failed"
    kind = "CollectReport" if attribute(report, "when") == "collect" else "TestReport"
    data = {
        "$report_type": kind,
        "nodeid": text(attribute(report, "nodeid", "")),
        "outcome": text(attribute(report, "outcome", "failed")),
        "longrepr": f"{words}\n(this report lost its details on the way: {why})" if failed or words else None,
        "sections": [],
        "result": None,
    }
    if kind == "TestReport":
        file, line, domain = attribute(report, "location") or ("", None, "")
        data.update(
            location=(text(file), None if line is None else integer(line), text(domain)),
            keywords={text(name): 1 for name in attribute(report, "keywords") or ()},
            when=text(attribute(report, "when", "call")),
            user_properties=[],
            duration=seconds(attribute(report, "duration", 0.0)),
        )
        del data["result"]
    return data


def described(items: Iterable[Any]) -> bytes:
    """What the host makes plain reports of: `(location, keywords)` of each test."""
    return pack([(_location(item), [text(name) for name in item.keywords]) for item in items])


def _location(item: Any) -> tuple[str, int | None, str]:
    location = attribute(item, "location")
    if not isinstance(location, tuple) or len(location) != 3:
        return "", None, ""
    path, line, domain = location
    return text(path), None if line is None else integer(line), text(domain)
