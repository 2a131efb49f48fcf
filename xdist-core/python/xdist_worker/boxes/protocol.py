"""Runs a test in a box, as its worker sees it: set up what is wider, fork, wait, tell what the box said, and tear down
what nobody needs any more.

To the worker's plugins the reports of a box are those of any test, and come in the same order; what takes the box down
is told to the controller as a crash of that test, and to them as a failed report.
"""

from __future__ import annotations

import time
import warnings
from typing import Any, Dict, List, Optional, Tuple

import pytest
from _pytest.reports import TestReport
from _pytest.runner import CallInfo

from .. import wire
from ..junit_stub import stub_of
from ..portable import unpack
from ..status import is_pytest
from . import MARK
from .channel import END, FRAME, PLAIN, RAISED, REPORT, Channel, Record
from .coverage import Measuring
from .forks import Ending, fork_box, refused, wait_for
from .inside import PHASES, TIMES, TOLD_BY_WORKER, BoxLink, Inside, MemoryWatch, keep_flush_of_c
from .leftovers import Orphans, warning_text
from .limits import Limits
from .remains import Remains
from .worker_part import WorkerPart

_PHASE_NAMES = ("setup", "setup", "call", "teardown")


class BoxError(Exception):
    """An exception that left pytest's protocol of a test, in its box."""


class Boxes:
    """Stands in for `hook.pytest_runtest_protocol` in a session that has boxes."""

    def __init__(self, config: Any, session: Any, teller: Any, folder: str = "", path: str = "") -> None:
        self._config = config
        self._session = session
        self._teller = teller
        self._all = bool(getattr(config.option, "boxed", False))
        self._unboxed = config.hook.pytest_runtest_protocol
        self._limits = Limits(config.option)
        self._measuring = Measuring()
        self._channel = Channel(folder)
        self._inside = Inside(config, session, self._channel, self._limits, self._measuring)
        self._link = BoxLink(self._inside, wire.frame, path)
        self._worker = WorkerPart(config, session, self._inside.made)
        self._orphans = Orphans(self._all)
        # Whether somebody beside pytest itself hears of tests that begin and end, and of reports.
        self._bounds_heard = self._reports_heard = True
        self._remains = Remains(config, self._limits.cpu is not None)
        if self._all:
            self._remains.watch_boxes()
        if self._limits.memory is not None:
            config.pluginmanager.register(MemoryWatch(self._limits), "xdist_worker.box_memory")
        keep_flush_of_c()
        _make_base(config)

    def listen(self, listener: Any, words: Any = None, hears_all: bool = False) -> None:
        """Be told in a box, by the plugin `listener`, of reports; `words` is what is written to pytest's terminal.

        `hears_all`: pytest's own plugins are to hear of everything, as they show it.
        """
        self._inside.silence(listener, hears_all)
        if hears_all:
            return
        heard = {name: self._is_heard(name, listener) for name in TOLD_BY_WORKER}
        self._reports_heard = heard.pop("pytest_runtest_logreport")
        self._bounds_heard = any(heard.values())
        self._remains.words = words

    def _is_heard(self, name: str, listener: Any) -> bool:
        implementations = getattr(self._config.hook, name).get_hookimpls()
        return any(impl.plugin is not listener and not is_pytest(impl.plugin) for impl in implementations)

    def report_in_box(self, report: Any) -> None:
        """In the box: a report."""
        self._inside.report(report)

    def wants(self, item: Any) -> bool:
        """Whether a test runs in a box."""
        return self._all or item.get_closest_marker(MARK) is not None

    def __call__(self, item: Any, nextitem: Any) -> None:
        """Run a test, in a box or not."""
        if self.wants(item):
            self.run(item, nextitem)
        else:
            self._unboxed(item=item, nextitem=nextitem)

    def prepares(self, item: Any) -> bool:
        """Whether a box for `item` is being prepared."""
        return self._worker.prepares(item)

    def run(self, item: Any, nextitem: Any) -> None:
        """Run a test in a box."""
        if self._bounds_heard:
            item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        began = time.perf_counter()
        prepared = 0.0
        if self._worker.lacks(item):
            self.watch_worker()
            self._worker.prepare(item, nextitem)
            self.watch_boxes()
            prepared = time.perf_counter() - began
        ending = self._box(item, nextitem)
        seconds = self._channel.passed()
        left = self._orphans.end()
        tears_down = self._worker.must_tear_down(item, nextitem)
        if seconds is None or left or prepared or tears_down or self._reports_heard or ending.interrupted:
            records = self._channel.take() if seconds is None else _records_of(seconds)
            self._tell(item, nextitem, records, ending, prepared, began, left)
        else:
            self._teller.passed(seconds)
        if self._bounds_heard:
            item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _tell(
        self, item: Any, nextitem: Any, records: List[Record], ending: Ending, prepared: float, began: float, left: Any
    ) -> None:
        told = _Told(self, item, nextitem, prepared)
        told.take_end(records)
        told.replay(records)
        if not self._channel.finished() and not ending.interrupted:
            self._crashed(told, ending, time.perf_counter() - began)
        if left:
            self._warn_of(item, left)
        self._remains.forget()
        if told.raised is not None or ending.interrupted:
            told.close()
            if told.raised is not None and told.raised["kind"] in ("exit", "interrupt"):
                self._teller.end_was_told()
            self._raise(told.raised or {"kind": "interrupt"})
        told.tear_down()
        item._report_sections = []

    def _box(self, item: Any, nextitem: Any) -> Ending:
        channel = self._channel
        channel.clear()
        if not self._all:
            # Other tests have run since the last box.
            self._remains.watch_boxes()
            self._inside.look()
        self._measuring.look()
        self._orphans.expect()
        try:
            pid = fork_box()
        except OSError as error:
            return refused(error)
        if pid == 0:
            channel.open()
            self._teller.enter_box(self._link)
            self._inside.run(item, nextitem, bool(item._report_sections), self._teller)
        ending = wait_for(pid, self._limits.timeout, self._limits.cpu is not None)
        if not self._all:
            self._remains.watch_worker()
        return ending

    def watch_worker(self) -> None:
        """The worker is about to run code of the project."""
        if self._all:
            self._remains.watch_worker()

    def watch_boxes(self) -> None:
        """Boxes are about to run again."""
        self._orphans.look_again()
        self._inside.look()
        if self._all:
            self._remains.watch_boxes()

    # What a box did not tell itself.

    def _crashed(self, told: _Told, ending: Ending, elapsed: float) -> None:
        item = told.item
        phase = _PHASE_NAMES[min(self._channel.phase_reached(), 3)]
        over = self._limits.over(ending.timed_out, ending.signal(), ending.cpu)
        how = f"{ending.text()} in {phase}"
        if over:
            how = f"{over}: {how}" if over.startswith("over") else f"{how} {over}"
        output, sections = self._remains.read()
        told.close()
        report = TestReport.from_item_and_call(item, _call(phase, elapsed))
        report.sections = sections
        expected = None if self._config.option.runxfail else _expected(item)
        if expected is not None:
            report.outcome, report.longrepr = "skipped", f"the test's box died: {how}\n{output}"
            report.wasxfail = f"{expected}: the box died: {how}" if expected else f"the box died: {how}"
        else:
            report.outcome, report.longrepr = "failed", f"the test's box died: {how}\n{output}"
            self._teller.box_died(report, how, output, elapsed)
        item.ihook.pytest_runtest_logreport(report=report)

    def _warn_of(self, item: Any, names: List[str]) -> None:
        warning = pytest.PytestWarning(warning_text(names))
        file, line = item.location[0], (item.location[1] or 0) + 1
        message = warnings.WarningMessage(warning, pytest.PytestWarning, str(file), line)
        self.tell_warning(message, "runtest", item.nodeid)

    def tell_warning(self, message: Any, when: str, nodeid: str) -> None:
        """Tell plugins of a warning."""
        self._config.hook.pytest_warning_recorded.call_historic(
            kwargs={"warning_message": message, "nodeid": nodeid, "when": when, "location": None}
        )

    def _raise(self, raised: Dict[str, Any]) -> None:
        kind = raised["kind"]
        if kind == "exit":
            raise pytest.exit.Exception(raised["text"], raised.get("code"))
        if kind == "interrupt":
            raise KeyboardInterrupt
        if kind == "usage":
            raise pytest.UsageError(raised["text"])
        raise BoxError(raised["text"])

    def end(self) -> None:
        """No more boxes: what they measured counts for the worker."""
        self._remains.watch_worker()
        self._measuring.flush()


class _Told:
    """What came out of one box, on its way to the worker's plugins."""

    def __init__(self, boxes: Boxes, item: Any, nextitem: Any, prepared: float) -> None:
        self._boxes = boxes
        self.item = item
        self._nextitem = nextitem
        self._prepared = prepared
        self._held: Optional[TestReport] = None
        self.raised: Optional[Dict[str, Any]] = None

    def take_end(self, records: List[Record]) -> None:
        """What the worker has to know before it tells any report."""
        for kind, payload in records:
            if kind != END:
                continue
            end = unpack(payload)
            stub = stub_of(self._boxes._config)
            if stub is not None:
                for name, value in end.get("attributes") or ():
                    stub.node_reporter(self.item.nodeid).add_attribute(name, value)
            if end.get("coverage"):
                self._boxes._measuring.add(end["coverage"])
            for name, value in zip(("shouldstop", "shouldfail"), end.get("should") or ()):
                if value:
                    setattr(self._boxes._session, name, value)

    def replay(self, records: List[Record]) -> None:
        """Tell everything in its order; the report of the teardown waits for the worker's part of it."""
        boxes = self._boxes
        for kind, payload in records:
            if kind == PLAIN:
                self._report(self._plain(payload))
            elif kind == REPORT:
                data = unpack(payload)
                report = boxes._config.hook.pytest_report_from_serializable(config=boxes._config, data=data)
                if report is not None:
                    self._report(report)
            elif kind == FRAME:
                boxes._teller.pass_on(payload)
            elif kind == RAISED:
                self.raised = unpack(payload)

    def _plain(self, payload: bytes) -> TestReport:
        at, start, stop, duration = TIMES.unpack(payload)
        return TestReport.from_item_and_call(self.item, _call(PHASES[at], duration, start, stop))

    def _report(self, report: TestReport) -> None:
        self.close()
        if report.when == "setup" and self._prepared:
            report.duration += self._prepared
            if hasattr(report, "start"):
                report.start -= self._prepared
            self._prepared = 0.0
        if report.when == "teardown":
            self._held = report
        else:
            self.item.ihook.pytest_runtest_logreport(report=report)

    def close(self) -> None:
        """Tell the report that waits."""
        held, self._held = self._held, None
        if held is not None:
            self.item.ihook.pytest_runtest_logreport(report=held)

    def tear_down(self) -> None:
        """Tear down what the next test has no use for, and tell the teardown as one."""
        worker, item = self._boxes._worker, self.item
        nextitem = worker.stays_until(self._nextitem)
        if not worker.must_tear_down(item, nextitem):
            return self.close()
        self._boxes.watch_worker()
        call, sections = worker.tear_down(item, nextitem)
        self._boxes.watch_boxes()
        own = self._held
        if call.excinfo is None:
            if own is not None:
                own.duration += call.duration
                own.sections = _joined(own.sections, sections, "teardown")
            return self.close()
        hook = item.ihook
        report = hook.pytest_runtest_makereport(item=item, call=call)
        if own is not None:
            report.duration += own.duration
            report.sections = [*own.sections, *report.sections]
            if own.failed:
                report.sections.append(("Teardown of the test itself", own.longreprtext))
        self._held = report
        self.close()
        hook.pytest_exception_interact(node=item, call=call, report=report)
        return None


def _records_of(seconds: Tuple[float, float, float]) -> List[Record]:
    """The reports of a plain pass that just ended."""
    now = time.time()
    records = []
    for at in reversed(range(3)):
        records.append((PLAIN, TIMES.pack(at, now - seconds[at], now, seconds[at])))
        now -= seconds[at]
    return records[::-1]


def _joined(sections: List[Any], captured: List[Tuple[str, str, str]], when: str) -> List[Any]:
    """The sections of a report, and what was captured later."""
    joined = dict(sections)
    for phase, kind, content in captured:
        if phase == when:
            title = f"Captured {kind} {phase}"
            glue = "\n" if kind == "log" and title in joined else ""
            joined[title] = f"{joined.get(title, '')}{glue}{content}"
    return list(joined.items())


def _call(when: str, duration: float, start: float = 0.0, stop: float = 0.0) -> CallInfo[None]:
    if not start:
        stop = time.time()
        start = stop - duration
    return CallInfo(
        result=None,
        excinfo=None,
        start=start,
        stop=stop,
        duration=duration,
        when=when,  # type: ignore[arg-type]
        _ispytest=True,
    )


def _expected(item: Any) -> Optional[str]:
    """The reason for which a test is expected to fail, whatever the exception; `None` if it is not."""
    try:
        from _pytest.skipping import evaluate_xfail_marks

        found = evaluate_xfail_marks(item)
    except Exception:
        # What is wrong with the mark was reported in the box, if it came so far.
        return None
    if found is None or found.raises is not None:
        return None
    return found.reason or ""


def _make_base(config: Any) -> None:
    """The base of temporary directories is made once: pytest wipes it when it is first asked for, which a box does."""
    factory = getattr(config, "_tmp_path_factory", None)
    try:
        if factory is not None:
            factory.getbasetemp()
    except OSError:
        return
