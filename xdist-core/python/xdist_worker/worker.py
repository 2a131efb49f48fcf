"""The hooks of a worker, and its run loop: takes tests by index, runs them by pytest's protocol, tells what came out.

A test is taken only when its successor is known, or that there is none: pytest needs it to decide which fixtures to
tear down. A fast test that plainly passes is left in the outbox (`outbox.py`) along with the one that begins next; what
has waited there for some milliseconds, and everything else, goes with the next frame.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, List, Optional, Tuple

import pytest
from _pytest.reports import TestReport

from . import boxes as box_rules
from . import wire
from .afterfork import collect_own, finish_apart, keep_captured, pause_gc
from .collected import digest
from .link import name_of
from .outbox import Outbox, open_outbox
from .run import Run
from .stop_page import CALL, IDLE, SETUP, TEARDOWN

_PHASES = ("setup", "call", "teardown")
# Seconds of fast tests between two looks for messages and two frames, and what each counts beside its own duration.
_PATIENCE = 0.02
_OVERHEAD = 0.0002
# A test of so many seconds is told at once.
_LONG = 0.005
# With fewer tests left, each is told at once, so that more come in time.
_LOW = 8
_PASSED = TestReport("", ("", None, ""), {}, "passed", None, "call")
_FOLLOWING = {"setup": CALL, "call": TEARDOWN}


class WorkerHooks:
    """Plugin of a session that will run tests; registered last, so that its trailing hooks are last."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._queue: Deque[int] = deque()
        self._closed = False
        self._stopped = False
        self._plain: List[Any] = []
        # Warnings, and ready frames.
        self._warnings: List[Any] = []
        self._wordy = False
        # Whether the last report of a wordy test was its teardown's.
        self._over = False
        # Seconds of tests since messages were looked for and the controller was told.
        self._unheard = 0.0
        # Made when there is a use for it.
        self._outbox: Optional[Outbox] = None
        self._sends_all = False
        # Set up where tests run in processes of their own.
        self._boxes: Any = None
        self._died: Any = None
        self._death: Any = None
        self._passed: Optional[Tuple[float, float, float]] = None
        self._in_box = False

    # From configure to the end of collection.

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        """All other plugins are configured."""
        self._run.configured()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: Any) -> None:
        """Know the session."""
        self._run.session_started(session)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection(self) -> Any:
        """Collecting makes much and drops little: it is faster without the garbage collector."""
        pause_gc()
        yield

    def pytest_collectreport(self, report: Any) -> None:
        """Remember what did not pass."""
        if not report.passed:
            self._run.collect_reports.append(report)

    def pytest_deselected(self, items: Any) -> None:
        """Count."""
        self._run.deselected += len(items)

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        """Pass a warning on; those of configuration and collection were told by the session that collected first."""
        if when == "runtest":
            self._warned(warning_message, when, nodeid, location)

    def _warned(self, *warning: Any) -> None:
        """Tell a warning: one of a running test after the test's reports, as pytest's own hooks are called."""
        if self._run.index is None:
            self._run.tell_warning(*warning)
        else:
            self._warnings.append(warning)

    def become_box(self) -> None:
        """This process has been forked for the running test; what is held back is for the worker to tell."""
        self._in_box = True
        self._warnings = []

    def tell_later(self, frame: bytes) -> None:
        """Send a frame after the reports of the running test."""
        self._warnings.append(frame)

    def tell_warnings(self) -> None:
        """Tell what was to be told after the reports of a test."""
        held, self._warnings = self._warnings, []
        for warning in held:
            if isinstance(warning, bytes):
                self._run.link.send_frame(warning)
            else:
                self._run.tell_warning(*warning)

    def pytest_internalerror(self, excrepr: Any) -> bool:
        """Tell the controller; true: nothing is written to stderr."""
        self._run.link.send({"internal_error": self._run.here.text(str(excrepr))})
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: Any) -> None:
        """The session ends before its time."""
        self._run.tell_end_of_session(excinfo)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        """Keep the exit status before plugins change it, and give them the output of a worker."""
        run = self._run
        run.exit_before = int(exitstatus)
        run.config.workeroutput.update(
            exitstatus=int(exitstatus), shouldfail=session.shouldfail, shouldstop=session.shouldstop
        )

    # The run loop.

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        """Run what the controller sends."""
        keep_captured(self._run.config, self._run.who)
        ids = [item.nodeid for item in session.items]
        self._run.link.send({"collected": [len(ids), digest(str(nodeid) for nodeid in ids)]})
        return self.work(session)

    def work(self, session: Any) -> bool:
        """Run tests until there are no more, or the session is to stop."""
        run = self._run
        run.start_worker()
        finish_apart(run.config, run.folder())
        run.link.send("ready")
        protocol: Any = run.config.hook.pytest_runtest_protocol
        if box_rules.wanted(run.config, session.items):
            from .boxes.teller import boxes_of_worker

            protocol = self._boxes = boxes_of_worker(self, run, session)
        items, queue, page, link, words = session.items, self._queue, run.page, run.link, run.last_words
        announced = False
        try:
            # An announced test has begun as far as the controller knows: it runs whatever has arrived since.
            while announced or self._wait_for_test():
                if not announced and page.stopped():
                    break
                index = queue.popleft()
                run.index = index
                if not announced:
                    link.send_frame(wire.started(index))
                page.phase(SETUP)
                if words is not None and not words.empty:
                    words.clear()
                self._plain.clear()
                self._wordy = self._over = False
                try:
                    protocol(item=items[index], nextitem=items[queue[0]] if queue else None)
                    page.phase(IDLE)
                    announced = self._complete(session, index)
                    if self._warnings:
                        self.tell_warnings()
                except BaseException as error:
                    self._complete_anyway(index)
                    self.tell_warnings()
                    if isinstance(error, (KeyboardInterrupt, pytest.exit.Exception)):
                        # pytest's own way takes its time, in which the other workers would go on.
                        run.tell_end_of_session(pytest.ExceptionInfo.from_current())
                    elif isinstance(error, session.Failed):
                        link.send({"stopping": {"kind": "fail", "reason": str(error)}})
                    elif isinstance(error, pytest.UsageError):
                        link.send({"internal_error": f"UsageError: {error}"})
                    raise
                if session.shouldfail:
                    link.send({"stopping": {"kind": "fail", "reason": str(session.shouldfail)}})
                    raise session.Failed(session.shouldfail)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
        finally:
            page.phase(IDLE)
            if self._boxes is not None:
                self._boxes.end()
        collect_own()
        return True

    def _wait_for_test(self) -> bool:
        """Wait until a test can be taken; false if none is left."""
        link = self._run.link
        if not link.quiet():
            self._take(link.pending())
        while not self._closed and len(self._queue) < 2:
            message = link.receive()
            if message is None:
                # The controller is gone: nothing counts any more.
                self._queue.clear()
                self._closed = True
            else:
                self._take([message])
        return bool(self._queue) and not self._stopped

    def _take(self, messages: List[Any]) -> None:
        for message in messages:
            name = name_of(message)
            if name == "run":
                self._queue.extend(message[name])
            elif name == "no_more":
                self._closed = True
            elif name == "stop" or name == "finish":
                self._closed = self._stopped = True
            elif name == "send_ids":
                self._run.tell_collection()
        if self._run.link.lost:
            self._closed = self._stopped = True

    def _complete(self, session: Any, index: int) -> bool:
        """Tell that a test is done; returns whether the next one was announced along with it."""
        run = self._run
        link, plain = run.link, self._plain
        if self._death is not None:
            self._tell_death(index)
            run.index = None
            return False
        if self._passed is not None:
            setup, call, teardown = self._passed
            self._passed = None
        elif self._wordy or len(plain) != 3:
            self._say_plain()
            run.index = None
            link.send_frame(wire.done(index))
            return False
        else:
            setup, call, teardown = (report.duration for report in plain)
        run.index = None
        seconds = setup + call + teardown
        self._unheard += seconds + _OVERHEAD
        if self._unheard <= _PATIENCE and seconds < _LONG and self._leave(session, index, setup, call, teardown):
            return True
        following = self._following(session)
        if following is None:
            link.send_frame(wire.passed(index, setup, call, teardown))
            return False
        link.send_frame(wire.passed_next(index, setup, call, teardown, following))
        return True

    def _leave(self, session: Any, index: int, setup: float, call: float, teardown: float) -> bool:
        """Leave a pass in the outbox, and that the next test begins; false if it must be sent."""
        queue, run, outbox = self._queue, self._run, self._outbox
        if len(queue) < (2 if self._closed else _LOW) or session.shouldfail or session.shouldstop or run.page.stopped():
            return False
        if outbox is not None:
            link = run.link
            return link.is_drained() and outbox.put(link.sent, index, setup, call, teardown, queue[0])
        if not self._sends_all and len(queue) >= _LOW:
            self._outbox = open_outbox(run)
            self._sends_all = self._outbox is None
        return False

    def _complete_anyway(self, index: int) -> None:
        """Tell that a test is done if all of it was reported before what ends the session; once more does no harm."""
        link = self._run.link
        if self._death is not None:
            self._tell_death(index)
        elif self._over:
            link.send_frame(wire.done(index))
        elif len(self._plain) == 3 and not self._wordy:
            setup, call, teardown = self._plain
            link.send_frame(wire.passed(index, setup.duration, call.duration, teardown.duration))

    def _tell_death(self, index: int) -> None:
        death, self._death = self._death, None
        self._run.link.send({"box_died": [index, death]})

    def _following(self, session: Any) -> Optional[int]:
        """The test that starts right now, if one does."""
        if session.shouldfail or session.shouldstop:
            return None
        queue = self._queue
        run = self._run
        # Looking for messages costs a call of the system. What cannot wait stands in the page.
        if self._unheard > _PATIENCE or len(queue) < 2:
            self._unheard = 0.0
            if not run.link.quiet():
                self._take(run.link.pending())
        if self._stopped or not queue or (len(queue) < 2 and not self._closed) or run.page.stopped():
            return None
        return queue[0]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Tell a report, unless it is one of the three of a plain pass, which are told together."""
        if self._in_box:
            return self._boxes.report_in_box(report)
        if report is self._died:
            return None
        run = self._run
        when = report.when
        encoder = run.encoder
        data = None if encoder.is_plain(report) else encoder.encode(report, run.current_nodeid() or None)
        reporter = run.reporter
        if data is None:
            plain = self._plain
            if not self._wordy and len(plain) < 3 and _PHASES[len(plain)] == when:
                plain.append(report)
            else:
                self._tell(encoder.plain(report))
                self._over = when == "teardown"
            if reporter is not None:
                reporter.stats.setdefault("passed" if when == "call" else "", []).append(report)
        else:
            self._tell(data)
            self._over = when == "teardown"
            if reporter is not None:
                reporter.stats.setdefault(data.get("category", ""), []).append(report)
            if report.failed and not hasattr(report, "wasxfail"):
                run.page.failed()
        phase = _FOLLOWING.get(when)
        if phase is not None:
            run.page.phase(phase, report.duration)
        return None

    def passed_in_box(self, seconds: Tuple[float, float, float]) -> None:
        """The running test passed: a report of it has nobody to go to, and only is counted."""
        self._passed = seconds
        if self._run.reporter is not None:
            self._run.reporter.stats.setdefault("passed", []).append(_PASSED)

    def tell_box_died(self, report: Any, data: Any) -> None:
        """The running test took its process down; `report` is what plugins are about to hear of it.

        The controller is told at the test's end: what is wider may still go wrong in its teardown.
        """
        run = self._run
        self._say_plain()
        self._wordy = self._over = True
        self._died, self._death = report, data
        run.page.failed()

    def _tell(self, data: Any) -> None:
        self._say_plain()
        self._wordy = True
        if self._run.index is not None:
            self._run.link.send({"report": [self._run.index, data]})

    def _say_plain(self) -> None:
        """Tell the reports that were held back in the hope of a plain pass."""
        run = self._run
        held, self._plain = self._plain, []
        for report in held:
            run.link.send({"report": [run.index, run.encoder.plain(report)]})
