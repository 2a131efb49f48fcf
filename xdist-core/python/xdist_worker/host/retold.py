"""Reports and warnings of workers, made again as pytest's own objects."""

from __future__ import annotations

import importlib
import time
import warnings
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
        self._takes_times = "start" in vars(TestReport("", ("", 0, ""), {}, "passed", None, "call"))

    def location(self, index: int) -> tuple[str, int | None, str]:
        """Where a test stands."""
        if index < len(self._described):
            return self._described[index][0]
        return self.ids[index].partition("::")[0], None, self.ids[index]

    def passed(self, index: int, durations: tuple[float, ...], blanks: dict[str, bytes]) -> list[TestReport]:
        """The three reports of a test that passed with nothing to say; `blanks` are empty attributes by phase."""
        location, names = self._described[index] if index < len(self._described) else (self.location(index), ())
        nodeid = self.ids[index]
        moment = time.time() - sum(durations)
        made = []
        for when, duration in zip(_PHASES, durations):
            extra = unpack(blanks[when]) if when in blanks else {}
            if self._takes_times:
                extra.update(start=moment, stop=moment + duration)
            keywords = dict.fromkeys(names, 1)
            made.append(
                TestReport(nodeid, location, keywords, "passed", None, when, duration=duration, **extra)  # type: ignore[arg-type]
            )
            moment += duration
        return made

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
