"""The plugin host, driven message by message: its hooks in order, and how its session ends."""

from __future__ import annotations

import os
import signal
import struct
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import pytest
from stand_in import DEADLINE, Peer, StandIn

from xdist_worker.portable import pack, unpack

SETUP = {
    "mode": "load",
    "specs": ["popen", "popen"],
    "testrunuid": "run-1",
    "basetemp": "",
    "mainargv": ["xdist", "-n2"],
    "header": ["our line for the header"],
}
CONFTEST = """
    def note(*words):
        with open("notes", "a") as file:
            print(*words, file=file)
    def pytest_configure(config):
        note("configure", config.option.dist, config.option.numprocesses, len(config.option.tx))
        assert not hasattr(config, "workerinput") and config.pluginmanager.hasplugin("dsession")
    def pytest_sessionstart(session): note("sessionstart")
    def pytest_report_header(config): note("header")
    def pytest_xdist_setupnodes(config, specs): note("setupnodes", *specs)
    def pytest_xdist_newgateway(gateway): note("newgateway", gateway.id)
    def pytest_configure_node(node):
        note("configure_node", node.gateway.id)
        node.workerinput.update(same="x", differs=node.gateway.id, odd=object)
    def pytest_testnodeready(node): note("testnodeready", node.gateway.id)
    def pytest_xdist_node_collection_finished(node, ids): note("collection", node.gateway.id, *ids)
    def pytest_runtest_logstart(nodeid, location): note("logstart", nodeid, location[0], location[1])
    def pytest_runtest_logreport(report):
        note("logreport", report.nodeid, report.when, report.outcome, report.node.gateway.id, report.item_index)
    def pytest_runtest_logfinish(nodeid, location): note("logfinish", nodeid)
    def pytest_warning_recorded(warning_message, nodeid): note("warning", nodeid, warning_message.message)
    def pytest_handlecrashitem(crashitem, report, sched):
        note("crash", crashitem)
        if crashitem.endswith("again"):
            sched.mark_test_pending(crashitem)
    def pytest_testnodedown(node, error): note("down", node.gateway.id, error, getattr(node, "workeroutput", None))
    def pytest_sessionfinish(session, exitstatus): note("sessionfinish", int(exitstatus), session.testscollected)
    def pytest_unconfigure(config): note("unconfigure")
    """
IDS = ["test_a.py::test_a", "test_a.py::test_again"]
PLACES = [(("test_a.py", 0, "test_a"), ["test_a"]), (("test_a.py", 1, "test_again"), ["test_again"])]


def host(controller: StandIn, *args: str) -> Peer:
    """Have the session fork the host, as the controller does once arguments are parsed."""
    controller.start()
    session = controller.session("-n2", *args)
    facts = controller.say(session, "facts")
    assert facts["host_reasons"] == [] or "conftest.py" in facts["host_reasons"][0]
    session.send({"fork_host": SETUP})
    made = controller.peer("host")
    assert controller.say(session, "forked")[:2] == ["host", 0]
    return made


def collected(peer: Peer) -> None:
    fields = {"ids": IDS, "described": pack(PLACES), "reports": [], "deselected": 0, "lines": ["2 workers"]}
    peer.send({"event": {"collected": fields}})


def passed(peer: Peer, worker: int, index: int) -> None:
    began = struct.pack("<II", worker, index)
    peer.send({"followed": began + struct.pack("<IIddd", worker | 1 << 31, index, 0.1, 0.2, 0.3)})


def over(
    controller: StandIn,
    peer: Peer,
    code: int,
    reason: Optional[str] = None,
    error: Optional[str] = None,
    detail: str = "",
) -> Any:
    peer.send({"run_over": {"code": code, "reason": reason, "detail": detail, "error": error, "not_run": 0}})
    ended = controller.say(peer, "ended")
    controller.gone(peer)
    return ended


def notes(controller: StandIn) -> List[str]:
    return (Path(controller.project) / "notes").read_text().splitlines()


def out(controller: StandIn) -> str:
    """What was written to the terminal, which the host shares with the fork server."""
    for name in ("session-0", "server"):
        controller.peer(name).send("finish")
    return "\n".join(controller.processes[0].communicate())


def test_a_run_as_plugins_see_it(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(conftest_py=CONFTEST))
    peer = host(controller)
    ready: Dict[str, Any] = controller.say(peer, "host_ready")
    inputs = [unpack(data) for data in ready["inputs"]]
    assert inputs == [{"same": "x", "differs": name, "odd": "<class 'object'>"} for name in ("gw0", "gw1")]
    assert ready["differing"] == ["differs"] and ready["handles_crashes"] is True
    collected(peer)
    peer.send({"event": {"worker_up": "gw0"}})
    peer.send({"event": {"blanks": ["gw0", "call", pack({"extras": []})]}})
    passed(peer, 0, 0)
    warning = {"module": "builtins", "name": "UserWarning", "args": ("careful",), "text": "careful"}
    warning.update(filename="test_a.py", lineno=1)
    peer.send({"event": {"warning": ["runtest", IDS[0], None, pack(warning)]}})
    peer.send({"followed": struct.pack("<II", 0, 1)})
    peer.send({"event": {"worker_died": ["gw0", "signal 9 (SIGKILL)", True]}})
    peer.send({"event": {"crashed": ["gw0", 1, "signal 9 (SIGKILL)", "", [], [0.25]]}})
    assert controller.say(peer, "crash_seen") == [1, True]
    peer.send({"configure_node": ["gw0", 1]})
    assert controller.say(peer, "node_configured")[:2] == ["gw0", 1]
    passed(peer, 0, 1)
    peer.send({"event": {"worker_down": ["gw0", pack({"exitstatus": 0})]}})
    peer.send({"event": {"no_such_event": [1, 2]}})
    ended = over(controller, peer, 1)
    assert (ended["before"], ended["after"], ended["message"]) == (1, 1, "")
    assert notes(controller) == [
        "configure load 2 2",
        "sessionstart",
        "header",
        "setupnodes popen popen",
        "newgateway gw0",
        "configure_node gw0",
        "newgateway gw1",
        "configure_node gw1",
        "testnodeready gw0",
        f"collection gw0 {' '.join(IDS)}",
        f"logstart {IDS[0]} test_a.py 0",
        *(f"logreport {IDS[0]} {when} passed gw0 0" for when in ("setup", "call", "teardown")),
        f"logfinish {IDS[0]}",
        f"warning {IDS[0]} careful",
        f"logstart {IDS[1]} test_a.py 1",
        "down gw0 signal 9 (SIGKILL) None",
        f"logreport {IDS[1]} setup passed gw0 1",
        f"crash {IDS[1]}",
        f"logreport {IDS[1]} ??? failed gw0 1",
        f"logfinish {IDS[1]}",
        "newgateway gw0",
        "configure_node gw0",
        f"logstart {IDS[1]} test_a.py 1",
        *(f"logreport {IDS[1]} {when} passed gw0 1" for when in ("setup", "call", "teardown")),
        f"logfinish {IDS[1]}",
        "down gw0 None {'exitstatus': 0}",
        "sessionfinish 1 2",
        "unconfigure",
    ]
    shown = out(controller)
    for line in ("our line for the header", "2 workers", "[gw0] node down: signal 9 (SIGKILL)"):
        assert shown.count(line) == 1, shown
    assert "1 failed, 2 passed, 1 warning" in shown


def test_an_interrupt_names_the_tests_that_were_running(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(conftest_py=CONFTEST))
    peer = host(controller)
    controller.say(peer, "host_ready")
    collected(peer)
    for worker, index in (("gw1", 1), ("gw0", 0)):
        peer.send({"event": {"interrupted": [worker, index]}})
    assert over(controller, peer, 2, "KeyboardInterrupt", detail="a.py:3: KeyboardInterrupt\n")["before"] == 2
    shown = out(controller)
    assert "xdist: 2 tests interrupted" in shown
    assert f"INTERRUPTED {IDS[0]} (gw0)\nINTERRUPTED {IDS[1]} (gw1)\n" in shown
    assert "KeyboardInterrupt !!" in shown and "!\na.py:3: KeyboardInterrupt\n=" in shown


@pytest.mark.parametrize(
    ("code", "reason", "error", "shown"),
    [
        (0, None, None, "no tests ran"),
        (1, None, None, "no tests ran"),
        (5, None, None, "no tests ran"),
        (2, "Interrupted: 1 error during collection", None, "Interrupted: 1 error during collection !"),
        (2, "KeyboardInterrupt", None, "KeyboardInterrupt !"),
        (2, "had enough", None, "Interrupted: had enough !"),
        (1, "stopping after 1 failures", None, "stopping after 1 failures !"),
        (7, "_pytest.outcomes.Exit: enough of it", None, "Exit: enough of it !"),
        (3, None, None, "Exit: the run failed !"),
        (13, "the disk is full", None, "Exit: the disk is full !"),
        (4, None, "ERROR: no such file\n\nERROR: nor that\n", "ERROR: no such file\n\nERROR: nor that"),
    ],
)
def test_the_session_ends_as_the_run_did(
    project: Callable, stand_in: Callable, code: int, reason: Optional[str], error: Optional[str], shown: str
) -> None:
    controller = stand_in(project(conftest_py=CONFTEST))
    peer = host(controller)
    controller.say(peer, "host_ready")
    if code == 5:
        peer.send({"event": {"collected": {"ids": [], "described": b"", "reports": [], "deselected": 0, "lines": []}}})
    else:
        collected(peer)
    ended = over(controller, peer, code, reason, error)
    assert (ended["before"], ended["after"]) == (code, code)
    assert shown in out(controller)
    assert notes(controller)[-2:] == [f"sessionfinish {code} {0 if code == 5 else 2}", "unconfigure"]


def test_a_plugin_may_change_the_status(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(conftest_py="def pytest_sessionfinish(session): session.exitstatus = 77\n"))
    peer = host(controller)
    assert controller.say(peer, "host_ready")["handles_crashes"] is False
    collected(peer)
    ended = over(controller, peer, 0)
    assert (ended["before"], ended["after"], ended["message"]) == (0, 77, "")


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("shouldstop", {"kind": "stop", "reason": "enough"}),
        ("shouldfail", {"kind": "fail", "reason": "enough"}),
    ],
)
def test_a_plugin_may_stop_the_run(project: Callable, stand_in: Callable, attribute: str, told: Dict[str, str]) -> None:
    controller = stand_in(
        project(
            conftest_py=f"""
            def pytest_sessionstart(session): session.config.seen = session
            def pytest_testnodeready(node): node.config.seen.{attribute} = "enough"
            """
        )
    )
    peer = host(controller)
    controller.say(peer, "host_ready")
    collected(peer)
    peer.send({"event": {"worker_up": "gw0"}})
    assert controller.say(peer, "stopping") == told
    passed(peer, 0, 0)
    over(controller, peer, 2, "enough")
    assert len(peer.all("stopping")) == 1


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ("pytest_sessionfinish(session)", "an exception in a plugin"),
        ("pytest_terminal_summary(terminalreporter)", "an exception in a plugin"),
        # Everything was shown and written by then.
        ("pytest_unconfigure(config)", ""),
    ],
)
def test_a_plugin_that_raises_at_the_end(project: Callable, stand_in: Callable, hook: str, message: str) -> None:
    controller = stand_in(project(conftest_py=f"def {hook}: raise ValueError('a broken plugin')\n"))
    peer = host(controller)
    controller.say(peer, "host_ready")
    collected(peer)
    ended = over(controller, peer, 0)
    assert (ended["before"], ended["after"], ended["message"]) == (0, 3, message)
    shown = out(controller)
    assert "ValueError: a broken plugin" in shown and "xdist_worker" not in shown


@pytest.mark.parametrize("hook", ["pytest_testnodeready(node)", "pytest_sessionfinish(session)"])
def test_a_hook_that_takes_long_is_named_once(project: Callable, stand_in: Callable, hook: str) -> None:
    body = "import os, time\n        while not os.path.exists('go'): time.sleep(0.01)\n"
    root = project(conftest_py=f"def {hook}:\n        {body}")
    controller = stand_in(root)
    peer = host(controller)
    controller.say(peer, "host_ready")
    collected(peer)
    peer.send({"event": {"worker_up": "gw0"}})
    peer.send({"run_over": {"code": 0, "reason": None, "detail": "", "error": None, "not_run": 0}})
    deadline = time.monotonic() + DEADLINE
    while not peer.all("slow_hook"):
        assert time.monotonic() < deadline
        os.kill(peer.hello["pid"], signal.SIGURG)
        controller.step(time.monotonic() + 0.05)
    for _ in range(3):
        os.kill(peer.hello["pid"], signal.SIGURG)
    (root / "go").touch()
    controller.say(peer, "ended")
    assert [text.partition(":")[0] for text in peer.all("slow_hook")] == [f"{hook.partition('(')[0]} (conftest.py"]


def test_quick_hooks_are_not_named(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(conftest_py="def pytest_runtest_logreport(report): pass\n"))
    peer = host(controller)
    controller.say(peer, "host_ready")
    collected(peer)
    for _ in range(50):
        passed(peer, 0, 0)
        os.kill(peer.hello["pid"], signal.SIGURG)
    over(controller, peer, 0)
    assert not peer.all("slow_hook")


def test_a_plugin_that_raises_in_the_run(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(conftest_py="def pytest_testnodeready(node): raise ValueError('broken')\n"))
    peer = host(controller)
    controller.say(peer, "host_ready")
    collected(peer)
    peer.send({"event": {"worker_up": "gw0"}})
    assert controller.say(peer, "ended")["after"] == 3
    assert "INTERNALERROR> ValueError: broken" in out(controller)


def test_the_host_leaves_when_the_controller_is_gone(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(conftest_py=CONFTEST))
    peer = host(controller)
    controller.say(peer, "host_ready")
    peer.sock.shutdown(1)
    controller.gone(peer)
    controller.until(lambda: "unconfigure" in notes(controller) or None)
