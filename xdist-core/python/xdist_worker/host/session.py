"""The hooks of the plugin host: nodes are configured at the start of its session, then it follows the run to its end.

Exceptions that plugins raise here are pytest's to report, as in any session.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import pytest

from ..afterfork import collect_rest
from ..link import Link, name_of
from ..portable import pack, plain, unpack
from .closing import Results, settle_place, show_interrupted
from .copies import measured_here
from .environments import Pairs, count_pairs, group_failures, label_summary
from .following import Hook, records, written_at_once
from .nodes import Node, NodeManager
from .quick import Quick
from .retold import Tests, report_of, warning_of
from .scheduling import Dealing, settle
from .slow import SlowHook
from .spared import spare

NAME = "dsession"
"""Under which the plugin is registered, as pytest-xdist's is."""

_BASE_INPUT = frozenset(("workerid", "workercount", "testrunuid", "mainargv"))


class SchedulerView:
    """What `pytest_handlecrashitem` is given as scheduler."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.pending: List[str] = []

    def mark_test_pending(self, item: str) -> None:
        """Have the test run once more."""
        self.pending.append(item)


class _Start:
    """Comes last at the start of the session: registered after the terminal reporter, which shows the header."""

    def __init__(self, host: HostHooks) -> None:
        self._host = host

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self, session: Any) -> None:
        """Everybody has started."""
        self._host.set_up(session)


class HostHooks:
    """Plugin of the host's session."""

    def __init__(self, config: Any, link: Link, setup: Dict[str, Any]) -> None:
        self.config = config
        self.exit_before: Optional[int] = None
        # Everything is shown and written.
        self.finished = False
        self._link = link
        self._setup = setup
        self._tests: Any = None
        self._session: Any = None
        self._dealing = Dealing(setup["mode"])
        self._told_stop = False
        self._blanks: Dict[str, Dict[str, bytes]] = {}
        self._notices: List[str] = []
        self._not_run = 0
        # Verdicts to come.
        self._verdicts = 0
        self._results: List[str] = []
        self._pairs: Optional[Pairs] = None
        self._interrupted: List[Tuple[int, str]] = []
        # Directories of copies, and what they are copies of.
        self._copies: List[Tuple[str, str]] = []
        # Names of attributes that reports of workers had, beside those of plain passes.
        self._names: Set[str] = set()
        self._logstart = Hook(config, "pytest_runtest_logstart", "nodeid", "location")
        self._logreport = Hook(config, "pytest_runtest_logreport", "report")
        self._quick = Quick(config)
        self._logfinish = Hook(config, "pytest_runtest_logfinish", "nodeid", "location")
        self.nodemanager = NodeManager(config, list(setup["specs"]), setup["testrunuid"], list(setup["mainargv"]))
        self.sched = SchedulerView(config)
        self.terminal = config.pluginmanager.get_plugin("terminalreporter")
        SlowHook(link).listen()

    # The session.

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: Any) -> None:
        """Everything else is configured: reports come from nodes, temporary paths lie in the run's directory."""
        self.terminal = config.pluginmanager.get_plugin("terminalreporter")
        if self.terminal is not None:
            self.terminal.showfspath = False
        factory = getattr(config, "_tmp_path_factory", None)
        if factory is not None and self._setup.get("basetemp"):
            factory._basetemp = Path(self._setup["basetemp"])
        config.pluginmanager.register(_Start(self), "xdist_worker.host.start")
        config.pluginmanager.register(Results(self._results), "xdist_worker.host.results")

    def pytest_report_header(self) -> List[str]:
        """Say what runs the tests."""
        return list(self._setup["header"])

    def set_up(self, session: Any) -> None:
        """Set the nodes up: plugins say what workers are to be given."""
        self._session = session
        hook = self.config.hook
        hook.pytest_xdist_setupnodes(config=self.config, specs=self.nodemanager.specs)
        inputs = []
        for spec in self.nodemanager.specs:
            inputs.append(self._configure(spec.id))
        self._dealing = settle(self.config, self._setup["mode"])
        self._link.send(
            {
                "host_ready": {
                    "inputs": [pack(content) for content in inputs],
                    "differing": _differing(inputs),
                    "handles_crashes": bool(hook.pytest_handlecrashitem.get_hookimpls()),
                    "mode": self._dealing.mode,
                    "splits": self._dealing.splits,
                }
            }
        )

    def _configure(self, name: str) -> Dict[str, Any]:
        node = self.nodemanager.make(name)
        hook = self.config.hook
        hook.pytest_xdist_newgateway(gateway=node.gateway)
        hook.pytest_configure_node(node=node)
        return {key: plain(value) for key, value in node.workerinput.items() if key not in _BASE_INPUT}

    def pytest_collection(self) -> bool:
        """Collect nothing."""
        return True

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> Any:
        """Keep the exit status before plugins change it, and whether they all came to their end."""
        self.exit_before = int(exitstatus)
        self._sort_failed()
        outcome = yield
        self.finished = outcome.excinfo is None

    def _sort_failed(self) -> None:
        """`cache/lastfailed` is written in the order of collection."""
        failed = getattr(self.config.pluginmanager.get_plugin("lfplugin"), "lastfailed", None)
        if isinstance(failed, dict) and self._tests is not None:
            place = {nodeid: number for number, nodeid in enumerate(self._tests.ids)}
            ordered = sorted(failed.items(), key=lambda entry: place.get(entry[0], -1))
            failed.clear()
            failed.update(ordered)
        if self._tests is not None and self._verdicts != len(self._tests.ids):
            group_failures(self.terminal, self._tests.ids)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say again what the user should know of the run."""
        for text in self._notices:
            terminalreporter.write_sep("=", f"xdist: {text.splitlines()[0]}", red=True, bold=True)
        running = [(self._tests.ids[index], worker) for index, worker in sorted(self._interrupted)]
        show_interrupted(terminalreporter, running)
        if self._not_run:
            total = self._verdicts or self._not_run
            terminalreporter.write_line(f"xdist: {self._not_run} of {total} tests did not run", red=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> bool:
        """Follow the run."""
        # The program hears Ctrl-C, too, and says what becomes of it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            while True:
                message = self._link.receive()
                name = name_of(message)
                if message is None:
                    raise pytest.exit.Exception("the xdist program is gone")
                if name == "run_over":
                    break
                if name == "configure_node":
                    worker, incarnation = message[name]
                    self._link.send({"node_configured": [worker, incarnation, pack(self._configure(worker))]})
                elif name == "split":
                    self._link.send({"units": self._dealing.units(message[name])})
                elif name == "followed":
                    with written_at_once(self.terminal), self._quick.at_hand():
                        self._follow(message[name])
                elif name == "event":
                    self._take(message[name])
        finally:
            signal.signal(signal.SIGINT, before)
        self._not_run = message[name]["not_run"]
        self._results.extend(message[name].get("results", ()))
        measured_here(self.config, self._copies)
        if spare(self.config, self._names):
            collect_rest()
        self._end(session, **message[name])
        return True

    def _end(
        self, session: Any, code: int, reason: Optional[str], detail: str, error: Optional[str], **_more: Any
    ) -> None:
        """End the loop as serial pytest's would end."""
        if code == pytest.ExitCode.USAGE_ERROR and error:
            lines = [line[7:] if line.startswith("ERROR: ") else line for line in error.splitlines()]
            raise pytest.UsageError(*filter(None, lines))
        if reason is None:
            if code not in (0, 1, 5):
                raise pytest.exit.Exception("the run failed", returncode=code)
            if code == 1:
                session.testsfailed = max(1, session.testsfailed)
        elif reason.startswith("Interrupted: "):
            raise session.Interrupted(reason.partition(": ")[2])
        elif reason.startswith("KeyboardInterrupt"):
            settle_place(self.terminal, reason, detail)
            raise KeyboardInterrupt(*filter(None, [reason.partition(": ")[2]]))
        elif reason.startswith("_pytest.outcomes.Exit: "):
            raise pytest.exit.Exception(reason.partition(": ")[2], returncode=code)
        elif code == 1:
            session.shouldfail = session.shouldfail or reason
            raise session.Failed(session.shouldfail)
        elif code == 2:
            raise session.Interrupted(reason)
        else:
            raise pytest.exit.Exception(reason, returncode=code)

    # What happens in the run.

    def _take(self, event: Any) -> None:
        name = name_of(event)
        handler = getattr(self, "_on_" + name, None)
        if handler is None:
            return
        fields = event[name]
        if isinstance(fields, dict):
            handler(**fields)
        elif isinstance(fields, list):
            handler(*fields)
        else:
            handler(fields)
        self._heed_stop()

    def _heed_stop(self) -> None:
        """A plugin on this side may want the run to stop."""
        session = self._session
        if not self._told_stop and (session.shouldstop or session.shouldfail):
            self._told_stop = True
            kind = "fail" if session.shouldfail else "stop"
            self._link.send({"stopping": {"kind": kind, "reason": str(session.shouldfail or session.shouldstop)}})

    def _node(self, worker: str) -> Node:
        return self.nodemanager.nodes.get(worker) or self.nodemanager.make(worker)

    def _on_collected(
        self,
        ids: List[str],
        described: bytes,
        reports: List[bytes],
        deselected: int,
        lines: List[str],
        environments: Any = (),
        verdicts: int = 0,
        labels: Sequence[str] = (),
    ) -> None:
        self._tests = Tests(ids, described)
        for one in environments:
            self._tests.describe(one["workers"], one["tests"], one["described"])
            for worker in one["workers"]:
                self.nodemanager.interpreters[worker] = one["interpreter"]
                self.nodemanager.labels[worker] = one["label"]
                self._node(worker).runs_on(one["interpreter"], one["label"])
        session, config = self._session, self.config
        self._verdicts = session.testscollected = verdicts or len(ids)
        if self._verdicts != len(ids):
            self._pairs = count_pairs(self.terminal)
        label_summary(self.terminal, labels)
        for raw in reports:
            report, _ = report_of(config, raw)
            report.node = self._node("gw0")
            config.hook.pytest_collectreport(report=report)
        new_first = config.pluginmanager.get_plugin("nfplugin")
        if isinstance(getattr(new_first, "cached_nodeids", None), set):
            new_first.cached_nodeids.update(ids)
        info = getattr(config.pluginmanager.get_plugin("stepwiseplugin"), "cached_info", None)
        if info is not None:
            info.last_test_count = len(ids)
        terminal = self.terminal
        if terminal is not None:
            if deselected:
                terminal.stats.setdefault("deselected", []).extend([None] * deselected)
            terminal.ensure_newline()
            for line in lines:
                terminal.write_line(line)

    def _on_tree(self, sources: List[str], workers: List[str], stands: bool, paths: List[Tuple[str, str]]) -> None:
        self._copies += paths if stands else ()
        hook = self.config.hook
        call = hook.pytest_xdist_rsyncfinish if stands else hook.pytest_xdist_rsyncstart
        gateways = [self._node(worker).gateway for worker in workers]
        for source in sources:
            call(source=Path(source), gateways=gateways)

    def _on_worker_up(self, worker: str) -> None:
        node = self._node(worker)
        hook = self.config.hook
        hook.pytest_testnodeready(node=node)
        hook.pytest_xdist_node_collection_finished(node=node, ids=self._tests.of(worker) if self._tests else [])

    def _on_worker_died(self, worker: str, how: str, replaced: bool) -> None:
        node = self._node(worker)
        self.config.hook.pytest_testnodedown(node=node, error=how)
        self._say(f"[{worker}] node down: {how}")
        if replaced:
            self._say(f"replacing crashed worker {worker}")

    def _on_worker_down(self, worker: str, output: bytes) -> None:
        node = self._node(worker)
        node.shutting_down = True
        found = unpack(output)
        if isinstance(found, dict):
            node.workeroutput = found
        self.config.hook.pytest_testnodedown(node=node, error=None)

    def _follow(self, data: bytes) -> None:
        tests = self._tests
        for number, index, durations in records(data):
            if durations is None:
                self._logstart(tests.ids[index], tests.location(index))
            else:
                self._passed(f"gw{number}", index, durations)

    def _passed(self, worker: str, index: int, durations: Tuple[float, ...]) -> None:
        self._turn_to(worker)
        marks = self._marks(worker, index)
        for report in self._tests.passed(index, durations, self._blanks.get(worker, {}), marks):
            self._quick.show(report)
            self._logreport(report)
        self._finished(index)
        self._heed_stop()

    def _on_blanks(self, worker: str, when: str, blanks: bytes) -> None:
        self._names.update(unpack(blanks))
        self._blanks.setdefault(worker, {})[when] = blanks

    def _on_reported(self, worker: str, index: int, reports: List[bytes]) -> None:
        self._turn_to(worker)
        self._retell(worker, index, reports)
        self._finished(index)

    def _on_crashed(
        self, worker: str, index: int, how: str, output: str, reports: List[bytes], passed: List[float]
    ) -> None:
        self._turn_to(worker)
        retold = [report_of(self.config, raw) for raw in reports]
        marks = self._marks(worker, index)
        retold += [(known, ()) for known in self._tests.passed(index, passed, self._blanks.get(worker, {}), marks)]
        report = self._tests.crashed(index, worker, how, output)
        failed = next((known for known, _ in retold if known.failed and not hasattr(known, "wasxfail")), None)
        if failed is None:
            retold.append((report, ()))
        else:
            # One test, one verdict: it had failed already.
            failed.sections.append((f"Crash of worker {worker}", report.longrepr + "\n" + output))
            report = failed
        sched = self.sched
        for known, attributes in retold:
            self._mark(worker, index, known)
            if known is report:
                self.config.hook.pytest_handlecrashitem(crashitem=report.nodeid, report=report, sched=sched)
            self._log(worker, index, known, attributes)
        self._finished(index)
        again = report.nodeid in sched.pending
        sched.pending.clear()
        self._link.send({"crash_seen": [index, again]})

    def _on_interrupted(self, worker: str, index: int) -> None:
        self._interrupted.append((index, worker))

    def _turn_to(self, worker: str) -> None:
        """What plugins are told next happened on this worker."""
        if self._pairs is not None:
            self._pairs.worker = worker

    def _finished(self, index: int) -> None:
        tests = self._tests
        self._logfinish(tests.ids[index], tests.location(index))

    def _retell(self, worker: str, index: int, reports: List[bytes]) -> None:
        for raw in reports:
            report, attributes = report_of(self.config, raw)
            self._log(worker, index, report, attributes)

    def _marks(self, worker: str, index: int) -> Dict[str, Any]:
        """What reports carry beside their own."""
        return {
            "node": self._node(worker),
            "worker_id": worker,
            "testrun_uid": self.nodemanager.testrunuid,
            "item_index": index,
        }

    def _mark(self, worker: str, index: int, report: Any) -> None:
        self._names.update(vars(report))
        for name, value in self._marks(worker, index).items():
            setattr(report, name, value)

    def _log(self, worker: str, index: int, report: Any, attributes: Any = ()) -> None:
        self._mark(worker, index, report)
        if attributes:
            self._set_attributes(report, attributes)
        self._logreport(report)

    def _junit(self) -> Any:
        from _pytest.junitxml import xml_key

        return self.config.stash.get(xml_key, None)

    def _set_attributes(self, report: Any, attributes: Any) -> None:
        writer = self._junit()
        if writer is not None:
            element = writer.node_reporter(report)
            for name, value in attributes:
                element.add_attribute(name, value)

    def _on_suite_property(self, name: str, value: str) -> None:
        writer = self._junit()
        if writer is not None:
            writer.add_global_property(name, value)

    def _on_warning(self, when: str, nodeid: str, location: Any, raw: bytes) -> None:
        self.config.hook.pytest_warning_recorded.call_historic(
            kwargs={
                "warning_message": warning_of(unpack(raw)),
                "when": when,
                "nodeid": nodeid,
                "location": None if location is None else tuple(location),
            }
        )

    def _on_internal_error(self, worker: Optional[str], text: str) -> None:
        place = f"in worker {worker}" if worker else "in the session that collects"
        self._say(f"INTERNALERROR {place}:")
        for line in text.splitlines():
            self._say(f"INTERNALERROR> {line}")

    def _on_output(self, worker: str, stderr: bool, line: str) -> None:
        self._say(f"[{worker}] {line}")

    def _on_notice(self, text: str) -> None:
        self._say(f"xdist: {text}")
        if text not in self._notices:
            self._notices.append(text)

    def _on_said(self, line: str) -> None:
        self._say(line)

    def _on_stopping(self, why: str) -> None:
        self._say(f"xdist: {why}: stopping")

    def _say(self, line: str) -> None:
        terminal = self.terminal
        if terminal is None:
            return
        terminal.ensure_newline()
        # A line of progress letters that the reporter does not count as begun.
        if getattr(terminal._tw, "width_of_current_line", 0):
            terminal._tw.line()
        terminal.write_line(line)
        # Nobody knows when the next line comes.
        terminal.flush()


def _differing(inputs: List[Dict[str, Any]]) -> List[str]:
    """Keys whose values are not the same for all workers."""
    if not inputs:
        return []
    first = inputs[0]
    return [str(key) for key in first if any(key not in other or other[key] != first[key] for other in inputs[1:])]
