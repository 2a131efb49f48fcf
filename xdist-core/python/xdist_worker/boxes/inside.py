"""The life of a box, from the fork to its end: runs one test by pytest's whole protocol, and tells what came of it."""

from __future__ import annotations

import os
import struct
import sys
from typing import Any, Callable, Dict, List, NoReturn, Optional, Set, Tuple

import pytest
from _pytest.reports import TestReport

from .. import status
from ..junit_stub import stub_of
from ..portable import pack
from ..status import is_pytest
from ..stop_page import CALL, TEARDOWN
from ..whole_reports import serialised
from .channel import END, FRAME, PLAIN, RAISED, REPORT, Channel
from .coverage import Measuring
from .forks import take_interrupts
from .limits import Limits

PHASES = ("setup", "call", "teardown")
TIMES = struct.Struct("<Bddd")
_FOLLOWING = {"setup": CALL, "call": TEARDOWN}
_OWN = frozenset(vars(TestReport("", ("", 0, ""), {}, "passed", None, "call")))
# Hooks of which the worker tells plugins, when the box is gone or before it is made.
TOLD_BY_WORKER = ("pytest_runtest_logreport", "pytest_runtest_logstart", "pytest_runtest_logfinish")


class BoxLink:
    """Stands in for the worker's connection: what is sent is passed on by the worker."""

    def __init__(self, inside: Inside, frame: Callable[[Any], bytes], path: str) -> None:
        self._say = inside.say
        self._is_box = inside.is_box
        self._frame = frame
        self.lost = False
        self.sent = 0
        self.path = path

    def send(self, message: Any) -> None:
        """Send a message."""
        self.send_frame(self._frame(message))

    def send_frame(self, data: bytes) -> None:
        """Send a ready frame."""
        self._say(FRAME, data)

    def is_own(self) -> bool:
        """Whether this is the box, and not a child of it."""
        return self._is_box()


class Inside:
    """What a worker prepares for its boxes, and what each of them then does."""

    def __init__(self, config: Any, session: Any, channel: Channel, limits: Limits, measuring: Measuring) -> None:
        self._config = config
        self._session = session
        self._channel = channel
        self._limits = limits
        self._measuring = measuring
        self._protocol = config.hook.pytest_runtest_protocol
        self._stack_lengths: Dict[Any, int] = {}
        # Hooks, and who hears of them in a box; where that cannot be set at once, who is to leave.
        self._heard: List[Any] = []
        self._leaving: List[Any] = []
        self._merges = False
        self._teller: Any = None
        # `(start, stop, duration)` of reports with nothing to say, as long as nothing else was said.
        self._plain: List[Tuple[float, float, float]] = []
        self._said = False
        # Fixtures that were set up in this box.
        self.made: Set[Any] = set()

    def silence(self, listener: Any, all_others: bool) -> None:
        """In the worker, once: which plugins are not to hear in a box what they hear in the worker."""
        for name in TOLD_BY_WORKER:
            caller = getattr(self._config.hook, name)
            found = caller.get_hookimpls()
            told = [impl for impl in found if impl.plugin is not listener and (all_others or _is_told(name, impl))]
            if isinstance(getattr(caller, "_hookimpls", None), list):
                self._heard.append((caller, [impl for impl in found if impl not in told]))
            else:
                self._leaving += [(caller, impl.plugin) for impl in told]

    def look(self) -> None:
        """In the worker, after it has set something up or torn it down: what stands is not its boxes' to tear down."""
        self._stack_lengths = {node: len(entry[0]) for node, entry in self._session._setupstate.stack.items()}
        self.made.clear()

    def run(self, item: Any, nextitem: Any, merges: bool, teller: Any) -> NoReturn:
        """In the box: all of it."""
        channel = self._channel
        try:
            self._teller, self._merges = teller, merges
            self._enter(item)
            try:
                take_interrupts()
                self._protocol(item=item, nextitem=nextitem)
            except BaseException as error:
                self._limits.lift()
                self._say_raised(error)
                self._leave_early(item)
            self._limits.lift()
            teller.leave_box()
            self._say_end(item)
            _flush()
            if self._said or len(self._plain) != 3:
                self._say_plain()
                channel.finish()
            else:
                channel.finish_passed(*(duration for _, _, duration in self._plain))
        except BaseException:
            _last_resort()
            os._exit(1)
        os._exit(0)

    def _enter(self, item: Any) -> None:
        for caller, heard in self._heard:
            caller._hookimpls = heard
        for caller, plugin in self._leaving:
            caller._remove_plugin(plugin)
        # As little as can be: each object that is looked at costs a page. The worker has said that a set-up begins.
        self._item = item
        session = self._session
        state = session._setupstate
        own = state.teardown_exact
        state.teardown_exact = lambda nextitem: self._tear_down(own, item)
        self._before = (session.shouldstop, session.shouldfail)
        if self._measuring.known:
            self._measuring.begin()
        if self._limits.any:
            self._limits.apply()

    def _tear_down(self, own: Callable[[Any], None], item: Any) -> None:
        """Tear down the test, and what was added to wider nodes meanwhile; what stood before is the worker's."""
        errors: List[BaseException] = []
        try:
            own(item.parent)
        except _TEST_OUTCOME as error:
            errors.append(error)
        spared = False
        for node, entry in reversed(list(self._session._setupstate.stack.items())):
            finalizers = entry[0]
            while len(finalizers) > self._stack_lengths.get(node, 0):
                if not spared:
                    self._spare_those_of_the_worker()
                    spared = True
                try:
                    finalizers.pop()()
                except _TEST_OUTCOME as error:
                    errors.append(error)
        if errors:
            raise errors[0]

    def _spare_those_of_the_worker(self) -> None:
        """Up to pytest 7, whoever asks for a fixture has it finished, also one that stood before."""
        manager = getattr(self._session, "_fixturemanager", None)
        for definitions in getattr(manager, "_arg2fixturedefs", {}).values():
            for fixture in definitions:
                if fixture.cached_result is not None and fixture not in self.made:
                    fixture.finish = lambda request: None

    def _leave_early(self, item: Any) -> None:
        """The session ends in this test: pytest tears down at the session's end, which the box does not see."""
        try:
            self._session._setupstate.teardown_exact(None)
        except BaseException as error:
            self._say_trouble(item, error)

    def _say_trouble(self, item: Any, error: BaseException) -> None:
        sys.stderr.write(f"{item.nodeid}: teardown of an ended session: {type(error).__name__}: {error}\n")

    # What is told.

    def report(self, report: Any) -> None:
        """In the box: a report on its way to the worker."""
        when = report.when
        phase = _FOLLOWING.get(when)
        if phase is not None:
            self._phase(phase)
        plain = self._plain
        # What follows on something else may depend on it, as a test does on its subtests.
        if not self._said and len(plain) < 3 and PHASES[len(plain)] == when and self._is_bare(report):
            plain.append((getattr(report, "start", 0.0), getattr(report, "stop", 0.0), report.duration))
            return
        self._limits.lift()
        if self._merges and when == "setup":
            report.sections = _merged(report.sections)
        # Plugins may keep in the box what they make of a report.
        status.ask(self._config, report)
        self.say(REPORT, pack(serialised(self._config, report)))

    def is_box(self) -> bool:
        """Whether this process is the box."""
        return self._channel.is_own()

    def say(self, kind: int, payload: bytes) -> None:
        """In the box: anything."""
        self._say_plain()
        self._said = True
        self._channel.put(kind, payload)

    def _say_plain(self) -> None:
        """Say what was held back in the hope of a plain pass."""
        held, self._plain = self._plain, []
        for at, times in enumerate(held):
            self._channel.put(PLAIN, TIMES.pack(at, *times))

    def _is_bare(self, report: Any) -> bool:
        return (
            type(report) is TestReport
            and report.outcome == "passed"
            and report.longrepr is None
            and not report.sections
            and not report.user_properties
            and report.nodeid == self._item.nodeid
            and report.__dict__.keys() == _OWN
        )

    def _phase(self, phase: int) -> None:
        self._channel.phase(phase)
        self._teller.phase(phase)

    def _say_raised(self, error: BaseException) -> None:
        if isinstance(error, (pytest.exit.Exception, KeyboardInterrupt)):
            self._teller.session_ends(error)
        told: Dict[str, Any] = {"kind": "error", "text": _text_of(error)}
        if isinstance(error, pytest.exit.Exception):
            told = {"kind": "exit", "text": str(error.msg), "code": error.returncode}
        elif isinstance(error, KeyboardInterrupt):
            told["kind"] = "interrupt"
        elif isinstance(error, pytest.UsageError):
            told = {"kind": "usage", "text": str(error)}
        self.say(RAISED, pack(told))

    def _say_end(self, item: Any) -> None:
        session = self._session
        told: Dict[str, Any] = {}
        if (session.shouldstop, session.shouldfail) != self._before:
            told["should"] = (session.shouldstop or False, session.shouldfail or False)
        stub = stub_of(self._config)
        attributes = stub.take_attributes(item.nodeid) if stub is not None else []
        if attributes:
            told["attributes"] = attributes
        covered = self._measuring.end()
        if covered:
            told["coverage"] = covered
        if told:
            self.say(END, pack(told))


class MemoryWatch:
    """A plugin: a failure for want of memory names the limit of the box."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    @pytest.hookimpl(trylast=True, hookwrapper=True)
    def pytest_runtest_makereport(self, call: Any) -> Any:
        """In the box."""
        outcome = yield
        over = self._limits.over_memory(call.excinfo.value if call.excinfo is not None else None)
        if over and outcome.excinfo is None:
            self._limits.lift()
            report = outcome.get_result()
            report.sections.append(("Limit of the box", over))
            crash = getattr(report.longrepr, "reprcrash", None)
            if crash is not None:
                crash.message = f"{crash.message} ({over})"


_TEST_OUTCOME = (pytest.fail.Exception, pytest.skip.Exception, pytest.exit.Exception, Exception)


def _stays(hook: str, impl: Any) -> bool:
    """Whether one of pytest's own plugins prepares something for the test."""
    return hook != "pytest_runtest_logreport" and status.is_pytest(impl.plugin)


def _is_told(hook: str, impl: Any) -> bool:
    """Whether the worker tells a plugin; pytest's own ones prepare something when a test begins."""
    return hook == "pytest_runtest_logreport" or not is_pytest(impl.plugin)


def _merged(sections: List[Any]) -> List[Any]:
    """What the worker captured while it set up wider fixtures, and what the box captured, as one section of a kind."""
    merged: Dict[Any, str] = {}
    for title, content in sections:
        if title in merged:
            glue = "\n" if " log " in title else ""
            merged[title] = f"{merged[title]}{glue}{content}"
        else:
            merged[title] = content
    return list(merged.items())


def _text_of(error: BaseException) -> str:
    try:
        shown = pytest.ExceptionInfo.from_exc_info((type(error), error, error.__traceback__))
        return str(shown.getrepr(style="native"))
    except Exception as trouble:
        return f"{type(error).__name__}, of which nothing can be shown: {type(trouble).__name__}"


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            continue
    if _flush_c is not None:
        _flush_c(None)


_flush_c: Optional[Callable[..., Any]] = None


def keep_flush_of_c() -> None:
    """In the worker: find the function that writes out what C holds back."""
    global _flush_c
    try:
        import ctypes

        _flush_c = ctypes.CDLL(None).fflush
    except (ImportError, OSError, AttributeError, TypeError):
        _flush_c = None


def _last_resort() -> None:
    try:
        import traceback

        sys.__stderr__.write("a box could not tell what came of its test:\n" + traceback.format_exc())
        sys.__stderr__.flush()
    except BaseException:
        return
