"""What everybody asks of a plain pass, answered at once: what it counts as, and its failure as text, which is none.

For each report of thousands, pytest would call a hook, and make a terminal in memory to write one line on. The answers
are those that it would come to; where it might come to others, it is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from _pytest.reports import BaseReport, TestReport, getworkerinfoline

from ..status import Implementations, usual

_STATUS = "pytest_report_teststatus"


class Quick:
    """Knows the plain pass that plugins are shown right now."""

    def __init__(self, config: Any) -> None:
        self._hooks = config.hook
        self._implementations = Implementations(config)
        self._answers = {when: tuple(usual(when, "passed")[:3]) for when in ("setup", "call", "teardown")}
        self.report: Any = None
        self._only_pytest = False
        _answer_for_passes()

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """Answers are given within."""
        own = getattr(self._hooks, _STATUS)
        setattr(self._hooks, _STATUS, _Caller(own, self))
        try:
            yield
        finally:
            setattr(self._hooks, _STATUS, own)
            self.report = None

    def show(self, report: Any) -> None:
        """This report is shown next."""
        if report.when == "setup":
            self._only_pytest = self._implementations.only_pytest()
        self.report = report if self._only_pytest else None

    def answer(self, report: Any) -> Any:
        """What the report that is shown counts as."""
        return self._answers[report.when]


class _Caller:
    """Stands for pytest's caller of the hook."""

    def __init__(self, own: Any, quick: Quick) -> None:
        self._own = own
        self._quick = quick

    def __call__(self, **arguments: Any) -> Any:
        report = arguments.get("report")
        if report is not None and report is self._quick.report and len(arguments) == 2:
            # As long as no plugin that was shown it before has changed it.
            if report.outcome == "passed" and "wasxfail" not in report.__dict__:
                return self._quick.answer(report)
        return self._own(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


def _answer_for_passes() -> None:
    own = BaseReport.longreprtext
    if not isinstance(own, property) or own.fget is None or getattr(own.fget, "__module__", "") == __name__:
        return
    written = own.fget

    def longreprtext(report: Any) -> str:
        if type(report) is TestReport and report.longrepr is None:
            node = report.__dict__.get("node")
            return getworkerinfoline(node).strip() if node is not None else written(report)
        return written(report)

    longreprtext.__doc__ = own.__doc__
    BaseReport.longreprtext = property(longreprtext)  # type: ignore[assignment,method-assign]
