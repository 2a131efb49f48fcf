"""Distributed sessions, driven message by message: real forks, real sockets."""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path
from typing import Callable, List

import pytest
from stand_in import DEADLINE, RENDERING, Peer, StandIn, outcomes

EIGHT = """
    import os, sys, pytest
    @pytest.mark.parametrize("n", range(8))
    def test_n(n, worker_id, testrun_uid, tmp_path, request):
        assert sys.argv == ["-c"] and "" not in sys.path
        assert os.environ["PYTEST_XDIST_WORKER"] == worker_id == request.config.workerinput["workerid"]
        assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "3"
        assert os.environ["PYTEST_XDIST_TESTRUNUID"] == testrun_uid == "run-1"
        assert request.config.workerinput["mainargv"] == ["xdist", "-n", "3"]
        assert tmp_path.parent.name == "popen-" + worker_id
        assert request.config.option.dist == "no" and request.config.option.numprocesses is None
        assert n != 5
        if n == 6:
            pytest.skip("six")
    """


def forked(controller: StandIn, session: Peer, number: int) -> List[Peer]:
    """Have the collector fork workers and wait until they are ready."""
    controller.say(session, "collection")
    session.send({"fork_workers": [controller.identity(f"gw{n}") for n in range(number)]})
    workers = [controller.peer(f"gw{n}") for n in range(number)]
    for worker in workers:
        controller.say(worker, "ready")
    return workers


def one_worker(controller: StandIn, *args: str) -> Peer:
    return forked(controller, controller.collector("-n3", *args), 1)[0]


def finish(controller: StandIn, session: Peer) -> None:
    session.send("finish")
    controller.gone(session)


def test_three_workers_share_a_collection(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(test_a_py=EIGHT))
    session = controller.collector("-n", "3")
    assert any(line.startswith("rootdir: ") for line in controller.say(session, "configured"))
    workers = forked(controller, session, 3)
    assert len(controller.say(session, "collection")["ids"]) == 8
    controller.deal(workers, 8)
    for worker in workers:
        controller.gone(worker)
    expected = dict.fromkeys(range(8), "passed")
    expected.update({5: "failed", 6: "skipped"})
    assert outcomes(*workers) == expected
    assert [worker.all("ended")[0]["before"] for worker in workers] == [0, 0, 1]
    pids = [fields[2] for fields in session.all("forked")]
    assert pids == [worker.hello["pid"] for worker in workers]
    finish(controller, session)
    assert not session.all("ended")


def test_plain_passes_cost_one_message_each(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(
        project(test_a_py="import pytest\n@pytest.mark.parametrize('n', range(4))\ndef test_n(n): pass\n")
    )
    worker = one_worker(controller)
    worker.send({"run": [0, 1]})
    controller.until(lambda: worker.all("passed") or worker.closed)
    assert [name for name, _ in worker.said] == ["hello", "ready", "started", "passed"]
    worker.send({"run": [3, 2]})
    worker.send("no_more")
    controller.gone(worker)
    names = [name for name, _ in worker.said]
    assert names[4:] == ["started", "passed_next", "passed_next", "passed", "ended"]
    order = [fields[0] for name, fields in worker.said if name.startswith("passed")]
    assert order == [0, 1, 3, 2]


def test_the_collector_becomes_the_first_worker_and_others_collect_for_themselves(
    project: Callable, stand_in: Callable
) -> None:
    reader = "import os\nWHO = os.environ.get('PYTEST_XDIST_WORKER')\n"
    controller = stand_in(
        project(
            conftest_py=reader,
            test_a_py=EIGHT,
            test_b_py="import conftest\ndef test_who(worker_id): assert conftest.WHO == worker_id\n",
        )
    )
    controller.start()
    session = controller.session("-n3")
    facts = controller.say(session, "facts")
    assert facts["identity_read"][0].endswith("conftest.py") and facts["identity_read"][1] == 2
    assert facts["basetemp"]
    finish(controller, session)
    assert not session.all("ended") or session.all("ended")[0]["after"] == 0

    server = controller.peer("server")
    who = controller.identity("gw0")
    server.send(
        {
            "fork": {
                "role": "session",
                "id": "session-1",
                "args": ["-n3"],
                "expect_distribution": True,
                "identity": who,
            }
        }
    )
    session = controller.peer("session-1")
    base = controller.say(session, "facts")["basetemp"]
    session.send({"collect": [who, RENDERING]})
    assert re.search(r"conftest.py:2", controller.say(session, "evidence"))
    other = controller.identity("gw1")
    other["basetemp"] = os.path.join(base, "popen-gw1")
    server.send({"fork": {"role": "worker", "id": "gw1", "args": ["-n3"], "identity": other, "rendering": RENDERING}})
    ids = controller.say(session, "collection")["ids"]
    session.send("become")
    worker = controller.peer("gw1")
    total, digest = controller.say(worker, "collected")
    assert total == len(ids) == 9
    worker.send("send_ids")
    assert controller.say(worker, "collection")["ids"] == ids
    controller.say(session, "ready")
    controller.deal([session, worker], 9)
    controller.gone(session)
    controller.gone(worker)
    found = outcomes(session, worker)
    assert {n for n in found if found[n] != "passed"} == {5, 6} and len(found) == 9
    assert session.all("ended") and worker.all("ended")


def test_a_fresh_interpreter_is_a_worker_too(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(test_a_py=EIGHT))
    process = controller.start("worker", "gw2")
    worker = controller.peer("gw2")
    worker.send(
        {
            "fork": {
                "role": "worker",
                "id": "gw2",
                "args": ["-n3"],
                "identity": {**controller.identity("gw2"), "basetemp": str(controller.dir / "base" / "popen-gw2")},
                "rendering": RENDERING,
            }
        }
    )
    os.mkdir(controller.dir / "base")
    assert controller.say(worker, "collected")[0] == 8
    controller.deal([worker], 8)
    controller.gone(worker)
    assert len(outcomes(worker)) == 8
    process.communicate()
    assert process.returncode == 1


@pytest.mark.parametrize("death", ["os.kill(os.getpid(), signal.SIGSEGV)", "os._exit(7)"])
def test_a_worker_that_dies_takes_nothing_with_it(project: Callable, stand_in: Callable, death: str) -> None:
    controller = stand_in(
        project(
            test_a_py=f"""
            import os, signal
            def test_a(): pass
            def test_b(): {death}
            def test_c(worker_id, tmp_path): assert worker_id == "gw0"
            """
        )
    )
    session = controller.collector("-n3")
    first, second = forked(controller, session, 2)
    first.send({"run": [0, 1]})
    first.send("no_more")
    controller.gone(first)
    assert first.said[-1][0] == "passed_next" and first.said[-1][1][-1] == 1
    session.send({"fork_workers": [controller.identity("gw0", incarnation=1)]})
    again = controller.peer("gw0", incarnation=1)
    controller.say(again, "ready")
    again.send({"run": [2]})
    again.send("no_more")
    second.send("no_more")
    controller.gone(again)
    controller.gone(second)
    assert outcomes(again) == {2: "passed"}
    assert again.all("ended")[0]["after"] == 0
    finish(controller, session)


def test_a_missing_path_is_told_once(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(test_a_py=EIGHT))
    session = controller.collector("-n3", "nowhere.py")
    ended = controller.say(session, "ended")
    assert ended["after"] == 4
    assert ended["message"].startswith("ERROR: file or directory not found: nowhere.py")
    assert not session.all("collection") and not session.all("internal_error")


@pytest.mark.parametrize("args", [["-x"], []])
def test_collection_errors_are_the_controllers_to_judge(project: Callable, stand_in: Callable, args: list) -> None:
    controller = stand_in(project(test_a_py="import nowhere\n", test_b_py="def test_b(): pass\n"))
    session = controller.collector("-n3", *args)
    found = controller.say(session, "collection")
    assert len(found["reports"]) == 1 and found["reports"][0]["outcome"] == "failed"
    if args:
        assert found["stopped"]
    else:
        session.send("finish")
    ended = controller.say(session, "ended")
    assert ended["after"] == (1 if args else 2)
    controller.gone(session)


def test_nothing_collected_ends_as_serial_does(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(test_a_py="def test_b(): pass\n"))
    session = controller.collector("-n3", "-k", "zzz")
    assert controller.say(session, "collection")["deselected"] == 1
    session.send("finish")
    assert controller.say(session, "ended")["before"] == 5


INTERRUPTS = """
    import pytest, time
    @pytest.fixture(scope="session")
    def precious(tmp_path_factory):
        yield
        print("teardown ran")
        open("torn-down", "w").close()
    def test_a(precious): {body}
    def test_b(precious): pass
    """


@pytest.mark.parametrize(
    "body, kind, reason, code",
    [
        ("raise KeyboardInterrupt", "interrupt", "KeyboardInterrupt", 2),
        ("pytest.exit('bye', returncode=7)", "exit", "_pytest.outcomes.Exit: bye", 7),
        ("pytest.exit('bye')", "exit", "_pytest.outcomes.Exit: bye", 2),
    ],
)
def test_a_test_that_stops_the_session(
    project: Callable, stand_in: Callable, body: str, kind: str, reason: str, code: int
) -> None:
    root = project(test_a_py=INTERRUPTS.format(body=body))
    controller = stand_in(root)
    worker = one_worker(controller)
    worker.send({"run": [0, 1]})
    worker.send("no_more")
    stopping = controller.say(worker, "stopping")
    assert stopping["kind"] == kind and stopping["reason"] == reason
    assert stopping.get("code") == (7 if code == 7 else None)
    place, _, rest = stopping.get("detail", "").partition("\n")
    assert place == (f"{root / 'test_a.py'}:8: KeyboardInterrupt" if kind == "interrupt" else "")
    assert ("--full-trace" in rest) == (kind == "interrupt")
    assert controller.say(worker, "ended") == {"before": code, "after": code, "message": ""}
    controller.gone(worker)
    assert (root / "torn-down").exists() and not outcomes(worker)


def test_pytest_exit_in_a_hook(project: Callable, stand_in: Callable) -> None:
    hook = "import pytest\ndef pytest_runtest_setup(item): pytest.exit('enough', 5)\n"
    controller = stand_in(project(conftest_py=hook, test_a_py=EIGHT))
    worker = one_worker(controller)
    worker.send({"run": [0, 1]})
    assert controller.say(worker, "stopping") == {"kind": "exit", "reason": "_pytest.outcomes.Exit: enough", "code": 5}
    assert controller.say(worker, "ended")["after"] == 5


def test_a_warning_comes_after_the_reports_of_its_test(project: Callable, stand_in: Callable) -> None:
    body = "import warnings\ndef test_a(): warnings.warn('w')\ndef test_b(): warnings.warn('w'); assert 0\n"
    controller = stand_in(project(test_a_py=body))
    worker = one_worker(controller)
    worker.send({"run": [0, 1]})
    worker.send("no_more")
    controller.say(worker, "ended")
    order = [name for name, _ in worker.said if name in ("passed", "passed_next", "done", "warning")]
    assert order == ["passed_next", "warning", "done", "warning"]


def test_an_interrupt_from_outside_ends_the_running_test(project: Callable, stand_in: Callable) -> None:
    root = project()
    controller = stand_in(root)
    door = str(controller.dir / "door")
    body = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({door!r}); time.sleep(600)"
    project(test_a_py=INTERRUPTS.format(body=body))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.settimeout(DEADLINE)
        listener.bind(door)
        listener.listen()
        worker = one_worker(controller)
        worker.send({"run": [0, 1]})
        knock, _ = listener.accept()
        knock.close()
    assert controller.page.read_bytes()[64 + 4] == 2
    os.kill(worker.hello["pid"], signal.SIGINT)
    assert controller.say(worker, "stopping")["kind"] == "interrupt"
    assert controller.say(worker, "ended")["before"] == 2
    assert (root / "torn-down").exists()


def sleeps(pid: int) -> bool:
    """Whether the system has this process wait for something (proc(5): the state behind the name)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_an_interrupt_while_waiting(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(test_a_py=EIGHT))
    worker = one_worker(controller)
    # Between saying that it is ready and waiting, a signal would be heard only when something arrives.
    controller.until(lambda: sleeps(worker.hello["pid"]))
    os.kill(worker.hello["pid"], signal.SIGINT)
    assert controller.say(worker, "stopping")["kind"] == "interrupt"
    assert controller.say(worker, "ended")["before"] == 2


def test_a_failing_hook_is_an_internal_error(project: Callable, stand_in: Callable) -> None:
    hook = "def pytest_runtest_logfinish(nodeid): raise ValueError('a plugin is broken')\n"
    controller = stand_in(project(conftest_py=hook, test_a_py=EIGHT))
    worker = one_worker(controller)
    worker.send({"run": [0, 1]})
    assert "a plugin is broken" in controller.say(worker, "internal_error")
    assert controller.say(worker, "ended")["after"] == 3
    controller.gone(worker)
    assert controller.output("gw0", "stderr") == ""


def test_maxfail_is_shared_by_all_workers(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(
        project(test_a_py="import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_n(n): assert 0\n")
    )
    first, second = forked(controller, controller.collector("-n3", "--maxfail=2"), 2)
    first.send({"run": [0, 1]})
    controller.say(first, "done")
    second.send({"run": [2, 3, 4]})
    controller.say(second, "done")
    controller.until(lambda: controller.page.read_bytes()[0] == 1)
    second.send("no_more")
    first.send("no_more")
    controller.gone(first)
    controller.gone(second)
    assert sorted(outcomes(first, second)) == [0, 2]
    assert first.all("ended")[0]["before"] == second.all("ended")[0]["before"] == 1


def test_a_session_that_has_failed_enough_says_so(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(test_a_py="def test_a(): assert 0\ndef test_b(): pass\n"))
    worker = one_worker(controller, "-x")
    worker.send({"run": [0, 1]})
    stopping = controller.say(worker, "stopping")
    assert stopping == {"kind": "fail", "reason": "stopping after 1 failures"}
    assert controller.say(worker, "ended")["before"] == 1


def test_should_stop_is_told(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(
        project(test_a_py="def test_a(request): request.session.shouldstop = 'had enough'\ndef test_b(): pass\n")
    )
    worker = one_worker(controller)
    worker.send({"run": [0, 1]})
    assert controller.say(worker, "stopping") == {"kind": "stop", "reason": "Interrupted: had enough"}
    assert outcomes(worker) == {0: "passed"}


def test_a_child_that_a_test_forks_never_speaks(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(
        project(
            test_a_py="""
            import os
            def test_a():
                pid = os.fork()
                if pid:
                    assert os.waitpid(pid, 0)[1] == 256
            def test_b(): pass
            """
        )
    )
    worker = one_worker(controller)
    worker.send({"run": [0, 1]})
    worker.send("no_more")
    controller.gone(worker)
    assert outcomes(worker) == {0: "passed", 1: "passed"}


def test_workers_leave_when_the_controller_does(project: Callable, stand_in: Callable) -> None:
    root = project(test_a_py=INTERRUPTS.format(body="pass"))
    controller = stand_in(root)
    session = controller.collector("-n3")
    worker = forked(controller, session, 1)[0]
    worker.send({"run": [0, 1]})
    controller.say(worker, "passed")
    assert not (root / "torn-down").exists()
    for peer in (worker, session):
        peer.sock.shutdown(1)
        controller.gone(peer)
    assert (root / "torn-down").exists()


def test_stop_leaves_the_rest_unrun(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(test_a_py=EIGHT))
    worker = one_worker(controller)
    worker.send("stop")
    worker.send({"run": [0, 1]})
    assert controller.say(worker, "ended")["before"] == 0
    assert outcomes(worker) == {}


def test_the_debugger_is_refused_with_a_hint(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(
        project(test_a_py="import pytest\ndef test_a(): breakpoint()\ndef test_b(): pytest.set_trace()\n")
    )
    worker = one_worker(controller)
    controller.deal([worker], 2)
    controller.gone(worker)
    assert outcomes(worker) == {0: "failed", 1: "failed"}
    texts = [fields[1]["longrepr"]["terminal"] for fields in worker.all("report") if "longrepr" in fields[1]]
    assert "xdist -n 0 --pdb test_a.py::test_a" in texts[0] and "xdist -n 0 --pdb test_a.py::test_b" in texts[1]


def test_the_mute_reporter_is_there_and_counts(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(
        project(
            conftest_py="""
            def pytest_terminal_summary(): open("summary", "w").close()
            def pytest_sessionfinish(session):
                reporter = session.config.pluginmanager.get_plugin("terminalreporter")
                reporter.write_line("not to be seen")
                with open("stats", "w") as file:
                    file.write(repr({name: len(reports) for name, reports in reporter.stats.items()}))
            """,
            test_a_py="import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('c')\n",
        )
    )
    worker = one_worker(controller)
    controller.deal([worker], 3)
    controller.gone(worker)
    root: Path = controller.project
    assert (root / "stats").read_text() == "{'': 6, 'passed': 1, 'failed': 1, 'skipped': 1}"
    assert not (root / "summary").exists()
    assert controller.output("gw0") == ""


def test_warnings_are_told(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(
        project(test_a_py="import warnings\nwarnings.warn('at import')\ndef test_a(): warnings.warn('in a test')\n")
    )
    session = controller.collector("-n3")
    worker = forked(controller, session, 1)[0]
    controller.deal([worker], 1)
    controller.gone(worker)
    assert [fields["when"] for fields in session.all("warning")] == ["collect"]
    assert "at import" in session.all("warning")[0]["message"]
    assert [fields["when"] for fields in worker.all("warning")] == ["runtest"]


def test_exit_handlers_of_the_collector_run_once_and_last(project: Callable, stand_in: Callable) -> None:
    root = project(
        conftest_py="""
        import atexit, os
        def note():
            with open("handlers", "a") as file:
                file.write(f"{os.getpid()}\\n")
        atexit.register(note)
        """,
        test_a_py=EIGHT,
    )
    controller = stand_in(root)
    session = controller.collector("-n3")
    workers = forked(controller, session, 2)
    controller.deal(workers, 8)
    for worker in workers:
        controller.gone(worker)
    finish(controller, session)
    assert (root / "handlers").read_text().split() == [str(session.hello["pid"])]
