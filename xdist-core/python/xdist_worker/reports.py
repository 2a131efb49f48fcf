"""Turns pytest's reports into plain data, rendered by pytest itself, ready for the wire.

Total: whatever a test or a plugin put into a report, something comes out of it, and a report that failed stays failed.
Most reports are plain passes, for which nothing needs to be sent; they leave by the first `return` of `report`.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from _pytest.reports import TestReport

from . import status
from .here import Here
from .junit_stub import stub_of
from .junit_text import differing
from .render import Renderer, crash_of, match_terminal
from .safe_text import attribute, integer, seconds, text, unprintable, xml_text
from .spool import Spool

_SUBTEST_TYPES = ("SubtestReport", "SubTestReport")


class ReportEncoder:
    """Encodes the reports of one worker, in the order in which pytest made them.

    `rendering` is the controller's: `width`, `color`, `passed_output` (captured output of passed tests is wanted) and
    `junit` (properties and attributes are wanted). pytest's own terminal writer is given the same width and colours.
    """

    def __init__(self, config: Any, rendering: dict[str, object], here: Here | None = None) -> None:
        self._config = config
        self._here = here or Here(())
        self._junit = bool(rendering.get("junit"))
        self._passed_output = bool(rendering.get("passed_output"))
        self._implementations = status.Implementations(config)
        self._render = render = Renderer(config, integer(rendering.get("width"), 80), bool(rendering.get("color")))
        match_terminal(config, render.width, render.color)
        self._xfail_tb = bool(getattr(config.option, "xfail_tb", False))
        # Up to pytest 8, `--tb=line` shows a failure by its line and nothing else.
        self._one_line = self._render.tbstyle == "line" and int(pytest.__version__.split(".")[0]) < 9
        self._spool = Spool(config)
        self._only_pytest = False
        # Whether a report of the test at hand was sent: then all that follow are, too.
        self._sent = False

    def report(self, report: Any, nodeid: str | None = None) -> dict[str, object] | None:
        """Return the data of `report`, or None if it is a plain pass of which nothing needs to be told.

        Once a report of a test needed to be told, those that follow of the same test are told as well; the plain ones
        before it can be had from `plain`. `nodeid` is the id of the test that is running, if the caller knows it.
        """
        return None if self.is_plain(report) else self.encode(report, nodeid)

    def is_plain(self, report: Any) -> bool:
        """Return whether nothing needs to be told of `report`, as far as can be seen at once; else `encode` it."""
        try:
            if report.when == "setup":
                self._begin()
            if (
                self._only_pytest
                and not self._sent
                and type(report) is TestReport
                and report.outcome == "passed"
                and report.longrepr is None
                and "wasxfail" not in report.__dict__
                and not (self._passed_output and report.sections)
                and not (self._junit and self._has_junit_data(report))
            ):
                return True
        except Exception:
            # A report that is not even shaped like one: the long way copes with it.
            self._sent = True
        return False

    @staticmethod
    def plain(report: Any) -> dict[str, object]:
        """Return the data of a report for which `report` returned None."""
        when = text(attribute(report, "when", ""))
        usual = status.usual(when, "passed")
        data: dict[str, object] = {"when": when, "outcome": "passed", **_times(report)}
        if usual.category:
            data.update(category=usual.category, letter=usual.letter, word=usual.word)
        return data

    def _begin(self) -> None:
        self._sent = False
        self._only_pytest = self._implementations.only_pytest()
        self._spool.forget()

    def _has_junit_data(self, report: TestReport) -> bool:
        if report.user_properties:
            return True
        stub = stub_of(self._config)
        return stub is not None and stub.has_attributes(report.nodeid)

    def encode(self, report: Any, nodeid: str | None) -> dict[str, object] | None:
        """Return what `report` returns for a report that `is_plain` does not know to be one."""
        # The hook may change the report, so it is asked before anything is read.
        found = status.ask(self._config, report)
        outcome = text(attribute(report, "outcome", "failed"))
        when = text(attribute(report, "when", ""))
        if found.trouble is not None:
            outcome = "failed"
        data: dict[str, object] = {"when": when, "outcome": outcome, **_times(report)}
        for name, value in (("category", found.category), ("letter", found.letter), ("word", found.word)):
            if value:
                data[name] = value
        if found.markup:
            data["markup"] = found.markup
        wasxfail = _wasxfail(report)
        if wasxfail is not None:
            data["wasxfail"] = wasxfail
        if any(kind.__name__ in _SUBTEST_TYPES for kind in type(report).__mro__):
            data["subtest"] = True
        if not attribute(report, "count_towards_summary", True):
            data["uncounted"] = True
        one_line = self._one_line and found.category != "error"
        longrepr = self._longrepr(report, outcome, wasxfail, one_line, found.trouble)
        if longrepr is not None:
            data["longrepr"] = longrepr
        sections = self._sections(report, outcome, wasxfail)
        if sections and (self._junit or not one_line):
            data["sections"] = sections
        if self._junit:
            self._add_junit_data(report, when, data)
            self._add_junit_texts(report, wasxfail, longrepr, data)
        if not self._sent and _says_nothing(data) and type(report) is TestReport:
            return None
        self._sent = True
        own = text(attribute(report, "nodeid", ""))
        if own != nodeid:
            data["nodeid"] = own
        head_line = text(attribute(report, "head_line") or "test session")
        if "longrepr" in data or "sections" in data:
            data["head_line"] = head_line
        return self._here(data)

    def _longrepr(
        self, report: Any, outcome: str, wasxfail: str | None, one_line: bool, trouble: str | None
    ) -> dict[str, object] | None:
        longrepr = attribute(report, "longrepr")
        if longrepr is None and trouble is None:
            # A failure without a word is shown by pytest with an empty section.
            return {} if outcome == "failed" else None
        data: dict[str, object] = {}
        if outcome == "skipped" and wasxfail is None and _is_skip(longrepr):
            data["skip"] = _skip(longrepr)
            if _skipped_without_line(report):
                data["without_line"] = True
            return data
        if longrepr is not None:
            shown = self._render.tbstyle != "no" and not one_line and (wasxfail is None or self._xfail_tb)
            data.update(self._texts(report, shown, wasxfail is not None))
        crash = crash_of(longrepr)
        if trouble is not None:
            for name in ("terminal", "plain"):
                if data.get(name) or name == "terminal":
                    data[name] = f"{data.get(name, '')}{trouble}"
            if crash is None:
                crash = {"message": trouble}
        if crash is not None:
            crash["message"] = self._spool.bounded("message", crash["message"])
            data["crash"] = crash
        if self._render.tbstyle == "line" and outcome == "failed":
            data["line"] = self._render.crash_line(report)
        return data

    def _texts(self, report: Any, shown: bool, expected: bool) -> dict[str, object]:
        """Return the failure as text, as far as somebody prints it."""
        if shown:
            terminal, plain = self._render.both(report)
        elif self._junit and not expected:
            terminal, plain = "", self._render.plain(report)
        else:
            return {}
        data: dict[str, object] = {"terminal": self._spool.bounded("failure", terminal)}
        if plain:
            data["plain"] = self._spool.bounded("failure plain", plain)
        return data

    def _sections(self, report: Any, outcome: str, wasxfail: str | None) -> list[tuple[str, str]]:
        found = attribute(report, "sections")
        if not found:
            return []
        teardown_only = False
        if not (self._passed_output or self._junit):
            if outcome == "skipped" and not (wasxfail is not None and self._xfail_tb):
                return []
            # What a failed test wrote in its teardown, which passed, is shown with the failure.
            teardown_only = outcome == "passed" and wasxfail is None
        sections = []
        try:
            for entry in found:
                title, content = entry
                title = text(title)
                if not teardown_only or "teardown" in title:
                    sections.append((title, self._spool.bounded(title, content)))
        except Exception as error:
            sections.append(("Captured output", unprintable(found, error)))
        if teardown_only and not self._sent:
            return []
        return sections

    def _add_junit_data(self, report: Any, when: str, data: dict[str, object]) -> None:
        properties = []
        try:
            for entry in attribute(report, "user_properties") or ():
                name, value = entry
                properties.append((xml_text(name), self._spool.bounded("property", xml_text(value))))
        except Exception as error:
            properties.append(("unprintable", unprintable(attribute(report, "user_properties"), error)))
        if properties:
            data["user_properties"] = properties
        stub = stub_of(self._config)
        if stub is not None and when == "teardown":
            attributes = stub.take_attributes(attribute(report, "nodeid"))
            if attributes:
                data["xml_attributes"] = attributes

    def _add_junit_texts(
        self, report: Any, wasxfail: str | None, longrepr: dict[str, object] | None, data: dict[str, object]
    ) -> None:
        if longrepr is None and wasxfail is None:
            return
        shown = longrepr or {}
        found = differing(report, wasxfail, str(shown.get("plain") or shown.get("terminal") or ""))
        if found is not None:
            data["in_xml"] = [self._spool.bounded("for junit", part) for part in found]


def _says_nothing(data: dict[str, object]) -> bool:
    """Return whether `data` is what `ReportEncoder.plain` says anyway."""
    usual = status.usual(data["when"], "passed")
    expected = {"category": usual.category, "letter": usual.letter, "word": usual.word}
    return data["outcome"] == "passed" and {
        name: value for name, value in data.items() if name not in ("when", "outcome", "duration", "start")
    } == {name: value for name, value in expected.items() if value}


def _times(report: Any) -> dict[str, object]:
    duration = seconds(attribute(report, "duration", 0.0))
    start = seconds(attribute(report, "start", 0.0))
    return {"duration": duration, "start": start or time.time() - duration}


def _wasxfail(report: Any) -> str | None:
    missing = object()
    value = attribute(report, "wasxfail", missing)
    return None if value is missing else text(value)


def _is_skip(longrepr: Any) -> bool:
    return isinstance(longrepr, tuple) and len(longrepr) == 3


def _skip(longrepr: Any) -> tuple[str, int, str]:
    path, line, reason = longrepr
    return text(path), integer(line, -1), text(reason)


def _skipped_without_line(report: Any) -> bool:
    """Return whether pytest's summary folds this skip without naming a line."""
    try:
        keywords = getattr(report, "keywords", {})
        return report.when == "setup" and "skip" in keywords and "pytestmark" not in keywords
    except Exception:
        return False
