"""A session that is told to be plain pytest is the `pytest` command."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Tuple

import pytest

PASSING = """
    def test_one(worker_id, testrun_uid):
        assert worker_id == "master"
        assert testrun_uid
    """


def plain(controller: Any, *args: str) -> Tuple[int, str, str]:
    """Run one session that the controller lets go; a fresh interpreter, since only a child's exit code can be had."""
    process = controller.start("session", "session-0")
    peer = controller.peer("session-0")
    peer.send({"fork": {"role": "session", "id": "session-0", "args": list(args), "expect_distribution": False}})
    controller.until(lambda: peer.all("facts") or peer.closed)
    if peer.all("facts"):
        assert peer.all("facts")[0].get("plain")
        peer.send("plain")
    out, err = process.communicate()
    return process.returncode, out, err


def serial(root: Path, controller: Any, *args: str) -> Tuple[int, str, str]:
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:xdist", *args], cwd=root, env=controller.env, capture_output=True
    )
    return found.returncode, found.stdout.decode(), found.stderr.decode()


def timeless(text: str) -> str:
    text = re.sub(r"^plugins: .*\n", "", text, flags=re.M)
    return re.sub(r"=+( .*?) in [0-9.]+s =+", r"\1", text)


@pytest.mark.parametrize(
    "args", [[], ["-v"], ["--collect-only"], ["-k", "zzz"], ["nowhere.py"], ["--no-such-option"], ["--version"]]
)
def test_prints_and_ends_as_pytest_does(project: Callable, stand_in: Callable, args: list) -> None:
    root = project(test_a_py="def test_one(): pass\ndef test_two(): assert 0\n")
    controller = stand_in(root)
    ours, theirs = plain(controller, *args), serial(root, controller, *args)
    assert ours[0] == theirs[0]
    assert timeless(ours[1]) == timeless(theirs[1])
    assert ours[2].replace("pytest: error", "") == theirs[2].replace("__main__.py: error", "").replace(
        "pytest.main(): error", ""
    ).replace("python -m pytest: error", "").replace("usage: __main__.py", "usage: pytest").replace(
        "usage: python -m pytest", "usage: pytest"
    )


def test_error_in_a_conftest_is_pytests_own(project: Callable, stand_in: Callable) -> None:
    root = project(conftest_py="import nowhere_to_be_found\n")
    controller = stand_in(root)
    code, out, err = plain(controller)
    assert code == 4
    assert "ImportError while loading conftest" in err and "xdist_worker" not in err
    ended = controller.say(controller.peer("session-0"), "ended")
    assert ended == {"before": 4, "after": 4, "message": ""}


def test_looks_like_the_pytest_command(project: Callable, stand_in: Callable) -> None:
    root = project(
        test_a_py="""
        import os, sys
        def test_it():
            assert os.path.basename(sys.argv[0]) == "pytest" and sys.argv[1:] == ["-n0", "-q"]
            assert "" not in sys.path and os.path.dirname(sys.argv[0]) in sys.path
            assert "PYTEST_XDIST_WORKER" not in os.environ
            assert sys.modules["__main__"]
        """
    )
    code, out, err = plain(stand_in(root), "-n0", "-q")
    assert code == 0, out


@pytest.mark.parametrize(
    "ini",
    [
        "addopts = -p no:xdist -n0",
        "addopts = -p xdist -n0",
        "addopts = -p xdist.plugin -n0 --dist loadfile --maxprocesses=3 --tx popen",
        "addopts = -p no:xdist.looponfail -n0\nxdist_fork = never\nlooponfailroots = .\nrsyncdirs = .\nrsyncignore = x",
        "required_plugins = pytest-xdist",
        "required_plugins = pytest-xdist>=3.0,<9",
        "addopts = --strict-markers --strict-config",
    ],
)
def test_projects_written_for_pytest_xdist_load(project: Callable, stand_in: Callable, ini: str) -> None:
    root = project(
        conftest_py="""
        import xdist, xdist.newhooks
        def pytest_configure_node(node): pass
        def pytest_testnodedown(node, error): pass
        def pytest_handlecrashitem(crashitem, report, sched): pass
        def pytest_xdist_node_collection_finished(node, ids): pass
        def pytest_xdist_after_fork(config, worker_id): pass
        """,
        test_a_py="""
        import pytest, xdist
        @pytest.mark.xdist_group("a")
        def test_one(request, worker_id):
            assert worker_id == xdist.get_xdist_worker_id(request) == "master"
            assert not xdist.is_xdist_worker(request) and not xdist.is_xdist_controller(request)
            assert not xdist.is_xdist_master(request) and xdist.__version__
        """,
    )
    (root / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    code, out, err = plain(stand_in(root), "-W", "error")
    assert code == 0, out + err


def test_a_release_that_does_not_exist_is_missed(project: Callable, stand_in: Callable) -> None:
    root = project(test_a_py=PASSING)
    (root / "pytest.ini").write_text("[pytest]\nrequired_plugins = pytest-xdist>=99\n")
    code, out, err = plain(stand_in(root))
    assert code == 4 and "pytest-xdist" in err


def test_help_lists_the_options(project: Callable, stand_in: Callable) -> None:
    code, out, err = plain(stand_in(project(test_a_py=PASSING)), "--help")
    assert code == 0 and out.startswith("usage: pytest ")
    for name in ("-n", "--dist", "--tx", "--maxprocesses", "--testrunuid"):
        assert name in out
    for name in ("rsyncdirs", "looponfailroots", "xdist_fork"):
        assert name in out


def test_a_wrong_number_is_a_usage_error(project: Callable, stand_in: Callable) -> None:
    code, out, err = plain(stand_in(project(test_a_py=PASSING)), "-n", "many")
    assert code == 4 and "argument -n/--numprocesses: 'many' is neither a number nor 'auto' or 'logical'" in err


def test_sys_exit_in_a_conftest_is_told(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(conftest_py="import sys\nsys.exit(3)\n"))
    code, out, err = plain(controller)
    assert code == 3 and "Traceback" not in err
    ended = controller.say(controller.peer("session-0"), "ended")
    assert ended["after"] == 3 and "conftest.py:2: sys.exit(3)" in ended["message"]


@pytest.mark.parametrize(
    "env, hook, expected",
    [
        ({}, "", None),
        ({"PYTEST_XDIST_AUTO_NUM_WORKERS": "5"}, "", 5),
        ({"PYTEST_XDIST_AUTO_NUM_WORKERS": "5"}, "def pytest_xdist_auto_num_workers(config): return 3", 3),
        ({"PYTEST_XDIST_AUTO_NUM_WORKERS": "five"}, "", None),
    ],
)
def test_auto_is_asked_for(project: Callable, stand_in: Callable, env: dict, hook: str, expected: object) -> None:
    controller = stand_in(project(conftest_py=hook), env=env)
    controller.start()
    dist = controller.say(controller.session("-n", "auto"), "facts")["dist"]
    assert dist.get("numprocesses") == expected
    assert (dist.get("auto") == "auto") == (expected is None)


def test_an_interpreter_without_pytest_says_so(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(), python=[sys.executable, "-I", "-S"])
    process = controller.start()
    controller.until(lambda: controller.peers and controller.peers[0].all("unusable"))
    assert "pytest" in controller.peers[0].all("unusable")[0]
    out, err = process.communicate()
    assert process.returncode == 0 and err == ""


def test_modules_of_the_working_directory_do_not_shadow_the_start(project: Callable, stand_in: Callable) -> None:
    root = project(struct_py="raise SystemExit(9)", types_py="raise SystemExit(9)", sysconfig_py="raise SystemExit(9)")
    controller = stand_in(root)
    controller.start()
    assert controller.say(controller.peer("server"), "hello")["interpreter"]["pytest"] == pytest.__version__
