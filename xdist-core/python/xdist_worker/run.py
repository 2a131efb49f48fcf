"""What a distributed session shares among its phases: its link, who it is, and what it tells the controller.

The collector and the worker that is forked from it use the same object; `adopt` makes it the worker's.
"""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional

import pytest

from . import afterfork, identity, live_log
from .afterfork.memory import resume_gc
from .collected import collection
from .evidence import Watch
from .here import Here
from .junit_stub import install
from .link import Link
from .looponfail import Loop
from .portable import pack, unpack
from .render import end_of_session
from .reports import ReportEncoder
from .server import connect
from .stop_page import NoPage, StopPage
from .terminal import keep_last_words, mute, start
from .warnings_ import describe_warning, encode_warning
from .whole_reports import WholeReports, described, serialised


class Run:
    """One distributed session."""

    def __init__(
        self, config: Any, link: Link, who: Dict[str, Any], rendering: Dict[str, Any], watch: Optional[Watch]
    ) -> None:
        self.config = config
        self.link = link
        self.who = who
        # Where this session's sources are copies of others.
        self.here = Here(())
        self.rendering = rendering
        self.watch = watch
        self.whole = bool(rendering.get("whole"))
        # `--dist`, in the session that collects for the run.
        self.mode = ""
        # In a loop.
        self.loop: Optional[Loop] = None
        self.session: Any = None
        self.reporter: Any = None
        self.encoder: Any = None
        self.page: Any = NoPage()
        self.last_words: Any = None
        self.index: Optional[int] = None
        self.exit_before: Optional[int] = None
        self.collect_reports: List[Any] = []
        self.deselected = 0
        self.evidence_told = False
        self.collection_told = False
        self.end_told = False

    def configured(self) -> None:
        """Every plugin has configured itself; the session has not started."""
        self.reporter = mute(self.config)
        if self.whole:
            self.encoder = WholeReports(self.config, self.tell_blanks, self.current_nodeid, self.here)
        else:
            self.encoder = ReportEncoder(self.config, self.rendering, self.here)
        install(self.config, self.tell_suite_property)
        self.who.setdefault("incarnation", 0)

    def session_started(self, session: Any) -> None:
        """The session has started."""
        self.session = session
        if self.reporter is not None:
            start(self.reporter, session)

    def current_nodeid(self) -> str:
        """The node id of the test that runs, or nothing."""
        if self.index is None or self.session is None:
            return ""
        return str(self.session.items[self.index].nodeid)

    def folder(self) -> str:
        """The run's directory, if it has one."""
        return os.path.dirname(self.who.get("page") or "")

    def log_live(self) -> None:
        """From here on, what pytest logs live is shown."""
        live_log.attach(self.config, self.reporter, self.current_nodeid)

    def start_worker(self) -> None:
        """This process is about to run tests."""
        resume_gc()
        who = self.who
        if who.get("page"):
            self.page = StopPage(who["page"], who["slot"], int(self.config.getoption("maxfail", 0) or 0))
            self.link.on_broken = self.page.lost_link
        self.log_live()
        self.last_words = keep_last_words(self.reporter, who)
        session = self.session
        # Errors of collection are the controller's affair and no failure of this worker's.
        session.testsfailed = 0

    def become_forked(self, who: Dict[str, Any]) -> None:
        """Make this process, just forked from the collector, worker `who`."""
        self.link.close()
        self._redirect(who)
        try:
            os.setpgid(0, 0)
        except OSError:
            # Forked by a leader that left its group to us.
            pass
        self.link = connect(self.link.path, "worker", who["id"], who.get("incarnation", 0))
        base = os.path.dirname(self.who.get("basetemp") or "")
        if not who.get("basetemp") and base:
            who["basetemp"] = os.path.join(base, f"popen-{who['id']}")
        self.who = who
        identity.set_environment(who)
        config = self.config
        dict.update(config.workerinput, {**identity.worker_input(who), **(unpack(who.get("input")) or {})})
        if self.watch is not None:
            self.watch.stop()
        afterfork.repair(config, self.session, who)

    def become_first(self) -> None:
        """Make this process, which collected, worker `gw0` itself, without forking."""
        if self.watch is not None:
            self.watch.stop()
        self._redirect(self.who)
        afterfork.keep_captured(self.config, self.who)

    @staticmethod
    def _redirect(who: Dict[str, Any]) -> None:
        if who.get("stdout"):
            afterfork.redirect_stdio(who["stdout"], who["stderr"])

    # What is told.

    def tell_evidence(self, text: str) -> None:
        """The first reason not to fork after collection; none if the project repairs its workers itself."""
        if self.config.hook.pytest_xdist_after_fork.get_hookimpls():
            return
        if not self.evidence_told:
            self.evidence_told = True
            self.link.send({"evidence": text})

    def tell_suite_property(self, name: str, value: str) -> None:
        """A property of the whole suite."""
        self.link.send({"suite_property": [name, value]})

    def tell_blanks(self, when: str, blanks: bytes) -> None:
        """Empty attributes that reports of a phase have from now on, unless they are sent."""
        self.link.send({"blanks": [when, blanks]})

    def tell_warning(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        """A warning."""
        data = encode_warning(warning_message, when, nodeid, location)
        if data is not None:
            data = self.here(data)
            if self.whole:
                data["raw"] = pack(self.here(describe_warning(warning_message)))
            self.link.send({"warning": data})

    def tell_unrecorded(self, text: str) -> bool:
        """A warning that Python would print; false if this is not the process to tell it."""
        if not self.link.is_own():
            return False
        self.link.send({"warning": {"when": "unrecorded", "message": text}})
        return True

    def tell_collection(self, excinfo: Any = None) -> None:
        """Everything that was collected, once, and what ended the collection before its time."""
        if self.collection_told:
            return
        self.collection_told = True
        # Nothing runs of a collection that was stopped.
        mode = self.mode if excinfo is None else ""
        data = collection(self.session, self.config, self.collect_reports, self.deselected, self.rendering, mode)
        data["reports"] = self.here(data["reports"])
        if excinfo is not None:
            stopped = end_of_session(self.config, excinfo, self.rendering)
            stopped = self.here(stopped)
            data["stopped"], data["stop_detail"] = stopped["reason"], stopped.get("detail", "")
        if self.loop is not None:
            failed = [str(report.nodeid) for report in self.collect_reports if report.outcome == "failed"]
            data["loop_news"] = self.loop.news(self.config, failed, self.evidence_told)
        if self.whole:
            data["described"] = described(self.session.items)
            data["raw"] = [pack(serialised(self.config, report, self.here)) for report in self.collect_reports]
        self.link.send({"collection": data})

    def tell_end_of_session(self, excinfo: Any) -> None:
        """The session ends by an interrupt, `pytest.exit`, or `session.shouldstop`; told once."""
        # A worker that lost its connection has no part in the run: that is no reason for the others to stop.
        if self.end_told or self.link.lost:
            return
        self.end_told = True
        # Nobody on this host starts another test. Who leaves for it before the controller knows why is not missed.
        self.page.stop()
        data: Dict[str, Any] = {"kind": "interrupt", **self.here(end_of_session(self.config, excinfo, self.rendering))}
        if isinstance(excinfo.value, pytest.exit.Exception):
            data["kind"] = "exit"
            if excinfo.value.returncode is not None:
                data["code"] = int(excinfo.value.returncode)
        elif isinstance(excinfo.value, pytest.Session.Interrupted):
            data["kind"] = "stop"
        self.link.send({"stopping": data})
