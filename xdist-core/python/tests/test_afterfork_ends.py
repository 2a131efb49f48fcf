"""How workers and the collector end, and coverage's data."""

from __future__ import annotations

import os
import sys

import pytest
from forks import Project

from xdist_worker.afterfork import stdio

TWO = (("gw0", 0), ("gw1", 0))


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


LOG = (
    "import os\ndef log(text):\n"
    "    with open(os.environ['OUT'] + '/log', 'a') as f:\n"
    "        f.write(f\"{text} {os.environ['PYTEST_XDIST_WORKER']}\\n\")\n"
)


def lines(outcome):
    return sorted(outcome.text("log").splitlines())


def test_exit_handlers_run_where_they_were_registered(project):
    project.write("conftest.py", LOG + "import atexit\natexit.register(log, 'collector')\n")
    project.write(
        "test_one.py", "import atexit\nfrom conftest import log\ndef test(): atexit.register(log, 'worker')\n"
    )
    outcome = project.run(workers=TWO)
    assert lines(outcome) == ["collector gw0", "worker gw0", "worker gw1"]


def test_finalizers_run_where_they_were_made(project):
    source = "import weakref\nclass Thing: pass\n"
    project.write("conftest.py", LOG + source + "T = Thing()\nweakref.finalize(T, log, 'collector')\n")
    project.write(
        "test_one.py",
        "import weakref\nfrom conftest import Thing, log\nT = Thing()\n"
        "def test(): weakref.finalize(T, log, 'worker')\n",
    )
    assert lines(project.run(workers=TWO)) == ["collector gw0", "worker gw0", "worker gw1"]


def test_finalizers_of_multiprocessing_run_where_they_were_made(project):
    project.write(
        "conftest.py",
        LOG + "from multiprocessing import util\nutil.Finalize(None, log, ('collector',), exitpriority=1)\n",
    )
    project.write(
        "test_one.py",
        "from multiprocessing import util\nfrom conftest import log\n"
        "def test(): util.Finalize(None, log, ('worker',), exitpriority=1)\n",
    )
    assert lines(project.run(workers=TWO)) == ["collector gw0", "worker gw0", "worker gw1"]


def test_threads_are_waited_for(project):
    project.write("conftest.py", LOG)
    project.write(
        "test_one.py",
        "import threading, concurrent.futures\nfrom conftest import log\nE = threading.Event()\n"
        "def late():\n    threading.main_thread().join()\n    log('late')\n"
        "def test(): threading.Thread(target=late).start()\n",
    )
    assert lines(project.run(workers=TWO)) == ["late gw0", "late gw1"]


def test_handler_that_fails_is_shown_and_changes_nothing(project):
    project.write("test_one.py", "import atexit\ndef test(): atexit.register(lambda: 1 / 0)\n")
    outcome = project.run(workers=TWO)
    assert outcome.report["statuses"] == [0, 0]
    assert "ZeroDivisionError" in outcome.text("gw0-0.err")


def test_exit_status_is_the_sessions(project):
    project.write("test_one.py", "def test(): assert 0\n")
    outcome = project.run(workers=TWO)
    assert outcome.report["statuses"] == [1 << 8, 1 << 8]


def test_session_hooks_run_in_workers_and_logging_is_shut_down(project):
    project.write(
        "conftest.py", LOG + "def pytest_sessionfinish(): log('finish')\ndef pytest_unconfigure(): log('un')\n"
    )
    project.write(
        "test_one.py",
        "import logging, logging.handlers, os\n"
        "def test():\n"
        "    f = logging.FileHandler(os.environ['OUT'] + '/' + os.environ['PYTEST_XDIST_WORKER'] + '.mem')\n"
        "    logging.getLogger('x').addHandler(logging.handlers.MemoryHandler(99, target=f))\n"
        "    logging.getLogger('x').warning('kept in memory')\n",
    )
    outcome = project.run(workers=TWO)
    assert lines(outcome).count("finish gw1") == 1
    assert outcome.text("gw1.mem") == "kept in memory\n"


def test_streams_are_given_back_with_their_copies(tmp_path):
    """`restore_terminal` in a process of its own, with a pipe in the terminal's place."""
    import subprocess

    source = (
        "import fcntl, os, sys\n"
        f"sys.path.insert(0, {os.path.dirname(os.path.dirname(os.path.dirname(stdio.__file__)))!r})\n"
        "from xdist_worker import afterfork\n"
        "saved = fcntl.fcntl(1, fcntl.F_DUPFD, 200), fcntl.fcntl(2, fcntl.F_DUPFD, 200)\n"
        f"afterfork.redirect_stdio({str(tmp_path / 'out')!r}, {str(tmp_path / 'err')!r})\n"
        "copy = os.dup(1)\n"
        "print('hidden')\n"
        "afterfork.restore_terminal(saved)\n"
        "print('shown')\n"
        "sys.stdout.flush()\n"
        "os.write(copy, b'by copy')\n"
        "print('error', file=sys.stderr)\n"
        "try:\n    os.fstat(saved[0])\nexcept OSError:\n    print('closed')\n"
    )
    for name in ("out", "err"):
        (tmp_path / name).touch()
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "shown\nby copyclosed\n"
    assert done.stderr == "error\n"
    assert (tmp_path / "out").read_text() == "hidden\n"


def test_duplicates_are_told_apart_while_capture_is_at_work(project):
    project.write(
        "conftest.py",
        "import os\nfrom xdist_worker import afterfork\n"
        "for n in 'ab': open(os.environ['OUT'] + '/' + n, 'w').close()\n"
        "COPY = os.dup(1)\n"
        "afterfork.redirect_stdio(os.environ['OUT'] + '/a', os.environ['OUT'] + '/b')\n"
        "print('captured while conftests load')\n",
    )
    project.write("test_one.py", "def test(capfd):\n    with capfd.disabled(): print('through capture')\n")
    outcome = project.run(workers=(("gw0", 0),))
    assert outcome.report["statuses"] == [0], outcome.done.stderr
    assert "test session starts" in outcome.text("a")
    assert "test session starts" not in outcome.done.stdout
    assert "through capture" in outcome.text("gw0-0.out")
    assert "captured while" not in outcome.text("a")
