"""Reports and warnings of workers, made again as pytest's own objects."""

from __future__ import annotations

import importlib
import time
import warnings
from collections.abc import Sequence
from typing import Any

from _pytest.reports import TestReport

from ..portable import unpack
from ..whole_reports import XML_ATTRIBUTES

_PHASES = ("setup", "call", "teardown")


class Tests:
    """The tests of the run, as far as reports name them."""

    def __init__(self, ids: list[str], described: bytes) -> None:
        self.ids = ids
        self._described: list[Any] = unpack(described) or []
        # By worker, where there are several environments: the tests of its own.
        self._own: dict[str, list[int]] = {}
        self._takes_times = "start" in vars(TestReport("", ("", 0, ""), {}, "passed", None, "call"))

    def describe(self, workers: list[str], tests: list[int], described: bytes) -> None:
        """Take in what one of several environments says of its tests, which stand at these places among all."""
        if not self._described:
            self._described = [((nodeid.partition("::")[0], None, nodeid), ()) for nodeid in self.ids]
        for index, known in zip(tests, unpack(described) or []):
            self._described[index] = known
        self._own.update(dict.fromkeys(workers, tests))

    def of(self, worker: str) -> list[str]:
        """Node ids of the tests that a worker has."""
        tests = self._own.get(worker)
        return list(self.ids) if tests is None else [self.ids[index] for index in tests]

    def location(self, index: int) -> tuple[str, int | None, str]:
        """Where a test stands."""
        if index < len(self._described):
            return self._described[index][0]
        return self.ids[index].partition("::")[0], None, self.ids[index]

    def passed(
        self, index: int, durations: Sequence[float], blanks: dict[str, bytes], marks: dict[str, Any]
    ) -> list[TestReport]:
        """The reports of a test's phases that passed with nothing to say, marked with attributes that all reports have.

        `blanks` are empty attributes by phase.
        """
        location, names = self._described[index] if index < len(self._described) else (self.location(index), ())
        moment = time.time() - sum(durations)
        # pytest makes one; the others are its equals but for what is a report's own.
        made = vars(TestReport(self.ids[index], location, {}, "passed", None, "setup"))  # type: ignore[arg-type]
        reports = []
        for when, duration in zip(_PHASES, durations):
            report = TestReport.__new__(TestReport)
            own = report.__dict__
            own.update(made)
            own["when"] = when
            own["duration"] = duration
            own["keywords"] = dict.fromkeys(names, 1)
            own["user_properties"] = []
            own["sections"] = []
            if self._takes_times:
                own["start"] = moment
                own["stop"] = moment + duration
            if when in blanks:
                own.update(unpack(blanks[when]))
            own.update(marks)
            reports.append(report)
            moment += duration
        return reports

    def crashed(self, index: int, worker: str, how: str, output: str) -> TestReport:
        """The report of a test that took its worker down."""
        nodeid = self.ids[index]
        path, _, name = nodeid.partition("::")
        text = f"worker {worker!r} crashed while running {nodeid!r}: {how}"
        report = TestReport(nodeid, (path, None, name.replace("::", ".")), {}, "failed", text, "???")  # type: ignore[arg-type]
        if output.strip():
            report.sections.append(("Captured output of the worker", output))
        return report


def report_of(config: Any, raw: bytes) -> Any:
    """A report as pytest and its plugins read it, and the attributes for its element in junit.xml."""
    data = unpack(raw)
    attributes = data.pop(XML_ATTRIBUTES, ())
    report = config.hook.pytest_report_from_serializable(config=config, data=data)
    return report, attributes


def warning_of(data: dict[str, Any]) -> warnings.WarningMessage:
    """A warning; of its own class where that can be had and made of its arguments, else a plain one with its text."""
    category: Any = Warning
    said: Any = None
    try:
        category = importlib.import_module(data["module"])
        for name in data["name"].split("."):
            category = getattr(category, name)
        said = category(*data["args"])
        if str(said) != data["text"]:
            said = category(data["text"])
    except Exception:
        category = category if isinstance(category, type) and issubclass(category, Warning) else Warning
        said = Warning(data["text"])
    return warnings.WarningMessage(said, category, data["filename"], data["lineno"])
