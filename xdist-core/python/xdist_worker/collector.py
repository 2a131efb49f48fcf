"""The session that collects for the whole run, and then forks workers on request; it runs no test itself.

Single-threaded: it waits for the controller and nothing else. A worker forked here returns from the fork in the middle
of `pytest_runtestloop` and goes on as the worker it now is, through session finish to the end.
"""

from __future__ import annotations

import os
import warnings
from typing import Any, Dict, List

import pytest

from . import afterfork
from .collected import write_nodeids
from .forking import fork_many
from .link import name_of
from .run import Run
from .warnings_ import caught_warnings
from .worker import WorkerHooks


class CollectorHooks(WorkerHooks):
    """Plugin of the collector, and of the workers that come out of it."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._forked = False
        self._is_worker = False

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        """What is logged while tests are collected is shown once: here."""
        super().pytest_configure()
        self._run.log_live()

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        """Pass a warning on."""
        self._warned(warning_message, when, nodeid, location)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: Any) -> None:
        """Tell the header, which the muted reporter does not print."""
        run = self._run
        run.session_started(session)
        config = run.config
        lines: Any = ()
        # Without the terminal plugin there is neither a place for a header nor the options that its authors look at.
        if run.reporter is not None:
            lines = config.hook.pytest_report_header(config=config, start_path=config.invocation_params.dir)
        run.link.send({"configured": run.here(list(_flat(reversed(lines))))})

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection(self) -> Any:
        """A collection that does not come to its end is told as it stands."""
        afterfork.pause_gc()
        outcome = yield
        if outcome.excinfo is None:
            return
        error = outcome.excinfo[1]
        if isinstance(error, pytest.UsageError):
            return
        self._run.tell_collection(pytest.ExceptionInfo.from_exc_info(outcome.excinfo))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        """Tell what was collected and do what the controller asks for."""
        run = self._run
        if run.watch is not None:
            found = run.watch.check(run.config)
            if found is not None:
                run.tell_evidence(found)
        run.tell_collection()
        while True:
            message = run.link.receive()
            name = name_of(message)
            if name == "fork_workers":
                if self._fork(session, message[name]):
                    return self.work(session)
            elif name == "become":
                self._write_nodeids(session)
                run.become_first()
                self._is_worker = True
                return self.work(session)
            elif message is None or name == "finish":
                return self._finish(session)

    def _fork(self, session: Any, identities: List[Dict[str, Any]]) -> bool:
        """Fork workers; true in each of them."""
        run = self._run
        if not self._forked:
            afterfork.prepare(run.config, session)
        which, numbers = fork_many(len(identities))
        if which is not None:
            self._is_worker = True
            run.become_forked(identities[which])
            return True
        for who, number in zip(identities, numbers):
            if number < 0:
                error = OSError(-number, os.strerror(-number))
                run.link.send({"refused": [who["id"], who.get("incarnation", 0), str(error)]})
            else:
                self._forked = True
                run.link.send({"forked": [who["id"], who.get("incarnation", 0), number]})
        return False

    def _finish(self, session: Any) -> bool:
        """The run is over. What workers have finished on the collector's behalf is not finished again here."""
        run = self._run
        if run.watch is not None:
            # Nobody will be forked any more: what is read now is no evidence.
            run.watch.stop()
        self._write_nodeids(session)
        if self._forked:
            afterfork.finish_collector(0)
        if session.testsfailed and not run.config.option.continue_on_collection_errors:
            count = session.testsfailed
            raise session.Interrupted(f"{count} error{'s' if count != 1 else ''} during collection")
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        return True

    def _write_nodeids(self, session: Any) -> None:
        """What pytest warns of meanwhile counts, as in the hook in which serial pytest writes."""
        if not self._run.who.get("writes_cache", True):
            return
        with caught_warnings(self._run.config):
            try:
                write_nodeids(self._run.config, session)
            except UnicodeError as error:
                # Names of files that are no text: pytest itself would end here, with the results in its hands.
                text = f"could not write cache path cache/nodeids: {error}"
                warnings.warn(pytest.PytestCacheWarning(text), stacklevel=1)


def _flat(lines: Any) -> Any:
    for line in lines:
        if isinstance(line, (list, tuple)):
            yield from (str(part) for part in line)
        else:
            yield str(line)
