"""One forked process from pytest's arguments to its end: plain pytest, the collector, or a worker by itself.

pytest's own `pytest.main` runs everything; the plugin of this module steps in when arguments are parsed. Until a
session is distributed it is, to all appearances, the `pytest` command: errors in arguments, ini files and initial
conftests are printed by pytest itself.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from typing import Any, Dict, List, Optional, Tuple

import pytest

from . import afterfork, identity, options
from .bootstrap import scripts_dir
from .boxes.plain import PlainBoxes
from .collector import CollectorHooks
from .debugger import refuse
from .distribution import foreground_option
from .evidence import Watch
from .facts import gather_facts
from .forking import fork_detached
from .here import Here
from .host.session import NAME as HOST_NAME
from .host.session import HostHooks
from .link import Link, name_of
from .looponfail import Loop, asked_for
from .plugin import OptionsPlugin
from .portable import pack, unpack
from .run import Run
from .server import connect, inherited_interrupt
from .unrecorded import divert
from .worker import WorkerHooks


def _stderr_copies(config: Any) -> Tuple[int, ...]:
    """The descriptor in which pytest's capturing keeps the stderr that it replaced."""
    manager = config.pluginmanager.get_plugin("capturemanager")
    stream = getattr(getattr(manager, "_global_capturing", None), "err", None)
    copy = getattr(stream, "targetfd_save", None)
    return (copy,) if isinstance(copy, int) else ()


class Leave(BaseException):
    """The controller has no use for this session: end it without another word."""


def run(request: Dict[str, Any], link: Link) -> None:
    """Be the process that `request` asks for. Ends the process, or returns from plain pytest by `SystemExit`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    session = Session(request, link)
    try:
        code = session.main()
    except BaseException as error:
        if session.plain and session.host is None:
            raise
        code = session.failed(error)
    if session.plain and session.host is None:
        _leave_as_pytest(code)
    session.link().send({"ended": session.ended(code)})
    afterfork.finish_worker(code)


def _leave_as_pytest(code: int) -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


class Session(OptionsPlugin):
    """Drives pytest through one session; registered as its plugin from the first moment on."""

    def __init__(self, request: Dict[str, Any], link: Link) -> None:
        super().__init__()
        # Those that are no UTF-8 come as bytes.
        self._request = {**request, "args": [os.fsdecode(arg) for arg in request["args"]]}
        self._link = link
        self._is_worker = request["role"] == "worker"
        self._early_evidence: Optional[str] = None
        self._watch: Optional[Watch] = None
        self._errors: Optional[io.StringIO] = None
        # `--dist`, once the options are known.
        self._mode = ""
        self._message = ""
        self._traceback = ""
        self.plain = False
        self.run: Optional[Run] = None
        self.host: Optional[HostHooks] = None
        self._loop = Loop(request["cycle"]) if request.get("cycle") else None

    def main(self) -> int:
        """Run pytest; returns its exit code."""
        request = self._request
        args: List[str] = request["args"]
        worker = request.get("identity")
        if request.get("addopts") is not None:
            os.environ["PYTEST_ADDOPTS"] = request["addopts"]
        if self._is_worker:
            self._become_group()
            afterfork.redirect_stdio(worker["stdout"], worker["stderr"])
        if self._is_worker or request.get("expect_distribution"):
            sys.argv[:] = ["-c"]
            if worker:
                identity.set_environment(worker)
            else:
                os.environ["PYTEST_XDIST_WORKER"] = request.get("worker") or "gw0"
        else:
            sys.argv[:] = [os.path.join(scripts_dir(), "pytest"), *args]
        if not self._is_worker:
            self._watch = Watch(self._first_evidence)
            self._watch.start()
        stderr = sys.stderr
        try:
            return int(pytest.main(args, plugins=[self]))
        finally:
            if self._errors is not None:
                sys.stderr = stderr

    def _first_evidence(self, text: str) -> None:
        if self.run is None:
            self._early_evidence = text
        else:
            self.run.tell_evidence(text)

    # Until pytest has parsed its arguments.

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: Any) -> Any:
        """Before anybody else acts upon the arguments."""
        super().pytest_load_initial_conftests(early_config)
        if self._is_worker:
            afterfork.keep_data(early_config)
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_cmdline_parse(self) -> Any:
        """What is wrong with the arguments pytest prints on the terminal, which a session still has."""
        outcome = yield
        if outcome.excinfo is not None:
            self._before_error()

    def _before_error(self) -> None:
        """What pytest prints from here on, if it is a worker, is for the controller to show once for all of them."""
        if self._errors is None and (self._is_worker or self.run is not None):
            self._errors = io.StringIO()
            sys.stderr = self._errors

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: Any) -> Any:
        """Everything is parsed and nothing configured: ask the controller what this session is to be."""
        try:
            if self._is_worker:
                if self._loop is not None and asked_for(config):
                    self._loop.join(config)
                self._distribute(config, self._request["identity"], self._request.get("rendering") or {})
            elif self._request.get("host"):
                self._go_host(config, self._request["host"])
            else:
                self._ask(config)
        except pytest.UsageError:
            self._before_error()
            raise
        outcome = yield
        if outcome.excinfo is not None and not self.plain:
            self._before_error()

    def _ask(self, config: Any) -> None:
        options.resolve_numprocesses(config)
        facts = gather_facts(config, self._watch, self._request["args"])
        self._mode = facts["dist"]["mode"]
        # That of a session in another environment is below the first one's.
        base = "" if facts.get("plain") or self._request.get("worker") else identity.base_temp(config)
        facts["basetemp"] = base
        if self._loop is not None and asked_for(config) and foreground_option(config.option) is None:
            facts["looponfail"] = self._loop.facts(config, self._loop.join(config))
        else:
            self._loop = None
        self._link.send({"facts": facts})
        answer = self._link.receive()
        if name_of(answer) == "fork_host":
            if self._fork_host(config, answer["fork_host"]):
                return
            answer = self._link.receive()
        name = name_of(answer)
        if name == "plain":
            self._go_plain(config)
        elif name == "collect":
            who, rendering = answer[name]
            if not who.get("basetemp") and base:
                who["basetemp"] = os.path.join(base, f"popen-{who['id']}")
            self._distribute(config, who, rendering)
        else:
            raise Leave

    def _be_pytest(self) -> None:
        """Be the `pytest` command from here on: no worker comes of this session."""
        self.plain = True
        if self._watch is not None:
            self._watch.stop()
        sys.argv[:] = [os.path.join(scripts_dir(), "pytest"), *self._request["args"]]

    def _go_plain(self, config: Any) -> None:
        self._be_pytest()
        signal.signal(signal.SIGINT, inherited_interrupt())
        if self._request.get("expect_distribution"):
            identity.clear_environment()
        self._link.close()
        options.settle_plain(config)
        config.pluginmanager.register(PlainBoxes(), "xdist_worker.plain_boxes")

    def _fork_host(self, config: Any, setup: Dict[str, Any]) -> bool:
        """Fork the plugin host, which goes on with what is parsed and loaded already; true in it."""
        try:
            pid = fork_detached()
        except OSError as error:
            self._link.send({"refused": ["host", 0, str(error)]})
            return False
        if pid is not None:
            self._link.send({"forked": ["host", 0, pid]})
            return False
        path = self._link.path
        self._link.close()
        self._link = connect(path, "host", "host", 0)
        afterfork.keep_captured(config, {"id": "host"})
        afterfork.grow_slowly()
        self._go_host(config, setup)
        return True

    def _go_host(self, config: Any, setup: Dict[str, Any]) -> None:
        """Make the session the plugin host, before anything is configured: the terminal stays its own."""
        self._be_pytest()
        identity.clear_environment()
        options.settle_controller(config, setup)
        self.host = HostHooks(config, self._link, setup)
        config.pluginmanager.register(self.host, HOST_NAME)

    def _distribute(self, config: Any, who: Dict[str, Any], rendering: Dict[str, Any]) -> None:
        """Make the session worker `who`, before anything is configured."""
        if not self._is_worker:
            self._become_group()
            own = self._request if self._request.get("stdout") else who
            afterfork.redirect_stdio(own["stdout"], own["stderr"], _stderr_copies(config))
        sys.argv[:] = ["-c"]
        identity.set_environment(who)
        identity.force_options(config)
        identity.set_base_temp(config, who.get("basetemp") or "", who.get("incarnation", 0))
        content = {**identity.worker_input(who), **afterfork.worker_inputs(config), **(unpack(who.get("input")) or {})}
        config.workerinput = content if self._watch is None else self._watch.track(content)
        if self._watch is not None:
            for key in who.get("differing") or ():
                self._watch.register(key)
        config.workeroutput = {}
        run = self.run = Run(config, self._link, who, rendering, self._watch)
        run.here = Here(self._request.get("paths") or ())
        run.mode = who.get("mode") or self._mode
        run.loop = self._loop
        hooks = WorkerHooks(run) if self._is_worker else CollectorHooks(run)
        config.pluginmanager.register(hooks, "xdist_worker.session")
        refuse(run.current_nodeid)
        divert(run.tell_unrecorded)
        if self._early_evidence is not None:
            run.tell_evidence(self._early_evidence)

    @staticmethod
    def _become_group() -> None:
        try:
            os.setpgid(0, 0)
        except OSError:
            # Already the leader of a session.
            pass

    # The end.

    def failed(self, error: BaseException) -> int:
        """The exit code after pytest itself let an exception through, as the `pytest` command would exit."""
        if isinstance(error, Leave):
            return 0
        if isinstance(error, SystemExit):
            return self._exited(error)
        if isinstance(error, KeyboardInterrupt):
            self._message = "KeyboardInterrupt"
            return 2
        # Drop the frames of this package: the user's business starts in pytest.
        shown = error.__traceback__
        for _ in range(2):
            shown = shown.tb_next if shown is not None and shown.tb_next is not None else shown
        text = "".join(traceback.format_exception(type(error), error, shown))
        if self.run is not None and self.run.exit_before is not None:
            # After the tests: nobody else has to stop for it.
            self._traceback = text
            return 1
        if self._is_worker or self.run is not None:
            self.link().send({"internal_error": text})
            return 3
        sys.stderr.write(text)
        if self.host is None:
            return 1
        if not self.host.finished:
            self._message = "an exception in a plugin"
        return 3

    def _exited(self, error: SystemExit) -> int:
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
        self._message = f"{place}sys.exit({'' if error.code is None else repr(error.code)}) ended the session"
        if error.code is None:
            return 0
        return error.code & 0xFF if isinstance(error.code, int) else 1

    def link(self) -> Link:
        """The connection of this process: a forked worker has its own."""
        return self._link if self.run is None else self.run.link

    def ended(self, code: int) -> Dict[str, Any]:
        """The fields of `ended`."""
        run = self.run
        message = self._message
        if self._errors is not None:
            message = (message + "\n" if message else "") + self._errors.getvalue()
        before = code
        output = b""
        if self.host is not None:
            before = code if self.host.exit_before is None else self.host.exit_before
        elif run is not None:
            before = code if run.exit_before is None else run.exit_before
            output = pack(run.config.workeroutput) if run.whole else b""
        fields: Dict[str, Any] = {"before": before, "after": code, "message": message}
        if output:
            fields["output"] = output
        return {**fields, "traceback": self._traceback} if self._traceback else fields
