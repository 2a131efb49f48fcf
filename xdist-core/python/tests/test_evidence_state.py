"""The state that collection leaves behind: each row of the evidence is seen, its harmless neighbour is not."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from forks import Project

linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


EVIDENCE = {
    "thread": (
        "import threading\nE = threading.Event()\nT = threading.Thread(target=E.wait, name='poller', daemon=True)\n"
        "T.start()\n",
        'thread "poller" is alive (started in conftest.py:4)',
    ),
    "pool": (
        "import concurrent.futures as f\nP = f.ThreadPoolExecutor(1, thread_name_prefix='p')\n\n"
        "P.submit(int).result()\n",
        'thread "p_0" is alive (started in conftest.py:4)',
    ),
    "low-level thread": (
        "import _thread\nL = _thread.allocate_lock()\nL.acquire()\n_thread.start_new_thread(L.acquire, ())\n",
        "1 thread is started by the _thread module",
    ),
    "listening": (
        "import socket\n\nS = socket.create_server(('127.0.0.1', 0))\n",
        "a socket bound to port",
    ),
    "named owner": (
        "import socket\n\nS = socket.create_server(('127.0.0.1', 0))\n",
        "is open (S in conftest.py:3)",
    ),
    "unix socket": ("import socket\nA, B = socket.socketpair()\n", "a unix socket is open (A in conftest.py:2)"),
    "loop": (
        "import asyncio\nLOOP = asyncio.new_event_loop()\n",
        "an epoll instance (event loop) is open (made in conftest.py:2)",
    ),
    "loop of a plugin": (
        "import asyncio\n\nclass Plugin:\n    def __init__(self):\n        self.loop = asyncio.new_event_loop()\n\n"
        "def pytest_configure(config):\n    config.pluginmanager.register(Plugin())\n",
        "an epoll instance (event loop) is open (made in conftest.py:5)",
    ),
    "held deep": (
        "import select\n\nclass Reactor:\n    def __init__(self):\n        self.parts = [{'poll': select.epoll()}]\n\n"
        "R = Reactor()\n",
        "an epoll instance (event loop) is open (R in conftest.py:7)",
    ),
    "held by the configuration": (
        "import select\n\ndef pytest_configure(config):\n    config.poll_of_project = select.epoll()\n",
        "an epoll instance (event loop) is open (config.poll_of_project in conftest.py:4)",
    ),
    "held by the stash": (
        "import pytest, select\nKEY = pytest.StashKey()\n\ndef pytest_configure(config):\n"
        "    config.stash[KEY] = select.epoll()\n",
        "an epoll instance (event loop) is open (config.stash)",
    ),
    "held by a cache": (
        "import functools, select\n\n@functools.lru_cache(maxsize=None)\ndef poll():\n"
        "    return select.epoll()\n\npoll()\n",
        "an epoll instance (event loop) is open (poll in conftest.py:4)",
    ),
    "epoll": ("import select\nE = select.epoll()\n", "an epoll instance (event loop) is open (E in conftest.py:2)"),
    "pipe": ("import os\nR, W = os.pipe()\n", "a pipe is open (made in conftest.py:2)"),
    "written file": (
        "import os\nF = open(os.environ['OUT'] + '/log', 'w')\n",
        "/log, for writing, is open (F in conftest.py:2)",
    ),
    "deleted file": ("import tempfile\nF = tempfile.TemporaryFile()\n", "for writing, is open (F in conftest.py:2)"),
    "data base": (
        "import sqlite3, os\nC = sqlite3.connect(os.environ['OUT'] + '/db')\nC.execute('create table t(a)')\n"
        "C.commit()\n",
        "/db is open (C in conftest.py:2)",
    ),
    "data base to read": (
        "import sqlite3, os\np = os.environ['OUT'] + '/db'\nc = sqlite3.connect(p)\nc.execute('create table t(a)')\n"
        "c.commit(); c.close()\nC = sqlite3.connect('file:' + p + '?mode=ro', uri=True)\n"
        "C.execute('select * from t').fetchall()\n",
        "/db is open (C in conftest.py:6)",
    ),
    "directory": (
        "import tempfile\n\nD = tempfile.mkdtemp(dir='.')\n",
        "conftest.py:3 made the temporary directory ",
    ),
    "directory object": (
        "from tempfile import TemporaryDirectory\nD = TemporaryDirectory(dir='.')\n",
        "conftest.py:2 made the temporary directory ",
    ),
    "child": (
        "import subprocess, sys\nC = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n",
        "a pipe is open (made in conftest.py:2)",
    ),
    "child without pipes": ("import subprocess\nC = subprocess.Popen(['sleep', '60'])\n", "child process "),
    "shared memory": ("import mmap\nM = mmap.mmap(-1, 4096)\n", "anonymous shared memory is mapped"),
    "lock": ("import multiprocessing\nL = multiprocessing.Lock()\n", "a multiprocessing lock"),
    "fork replaced": ("import os\nos.fork = lambda own=os.fork: own()\n", "os.fork is replaced by conftest"),
    "waitpid replaced": ("import os\nos.waitpid = lambda *a, own=os.waitpid: own(*a)\n", "os.waitpid is replaced"),
    "mpi": (
        "import sys, types\nm = types.ModuleType('mpi4py.MPI')\nm.Is_initialized = lambda: True\n"
        "m.Is_finalized = lambda: False\nsys.modules['mpi4py.MPI'] = m\n",
        "MPI is initialised",
    ),
}


@linux
def test_descriptors_that_a_plugin_made_name_its_line(project):
    project.write(
        "libs/site-packages/plugged.py",
        "import multiprocessing, sqlite3\nclass Base:\n    pass\n"
        "def pytest_configure(config):\n    config.pipe = multiprocessing.Pipe(duplex=False)\n",
    )
    paths = [str(project.root / "libs" / "site-packages"), project.environment.get("PYTHONPATH", "")]
    project.environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    outcome = project.run("-p", "plugged")
    assert outcome.evidence == "a pipe is open (made in libs/site-packages/plugged.py:5)"


@linux
def test_an_imported_name_is_shown_where_it_was_made(project):
    project.write("app.py", "import select\nclass Box:\n    poll = select.epoll()\nBOX = Box()\n")
    project.write("conftest.py", "from app import BOX as THE_BOX\n")
    outcome = project.run("-o", "pythonpath=.")
    assert outcome.evidence == "an epoll instance (event loop) is open (Box in app.py:2)"


@linux
def test_constructors_are_given_back(project):
    project.write(
        "conftest.py",
        "import os, selectors, socket\n"
        "FOUND = [os.pipe, os.pipe2, socket.socket.__init__, selectors.EpollSelector.__init__]\n"
        "def names():\n"
        "    now = [os.pipe, os.pipe2, socket.socket.__init__, selectors.EpollSelector.__init__]\n"
        "    return [getattr(getattr(made, '__code__', None), 'co_filename', '') for made in now]\n",
    )
    project.write(
        "test_one.py",
        "import os, selectors\nimport conftest\n"
        "def test():\n"
        "    assert not [name for name in conftest.names() if 'xdist_worker' in name]\n"
        "    assert '__init__' not in vars(selectors.EpollSelector)\n"
        "    r, w = conftest.FOUND[0]()\n    os.close(r); os.close(w)\n",
    )
    outcome = project.run(workers=(("gw0", 0),))
    assert outcome.report["statuses"] == [0] and not outcome.failures, outcome.failures


@linux
@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence_is_seen(project, name):
    source, expected = EVIDENCE[name]
    project.write("conftest.py", source)
    outcome = project.run()
    assert outcome.evidence is not None, outcome.done.stdout
    assert expected in outcome.evidence


HARMLESS = {
    "nothing": "",
    "finished thread": "import threading\nT = threading.Thread(target=int)\nT.start()\nT.join()\n",
    "closed socket": "import socket\nsocket.create_server(('127.0.0.1', 0)).close()\n",
    "removed directory": "import tempfile\nwith tempfile.TemporaryDirectory() as d: pass\n",
    "temporary name": "import tempfile, os\nfd, p = tempfile.mkstemp()\nos.close(fd); os.remove(p)\n",
    "finished child": "import subprocess\nsubprocess.run(['true'], check=True)\n",
    "unreaped child": "import os\np = os.fork()\nif not p: os._exit(0)\n"
    "os.waitid(os.P_PID, p, os.WEXITED | os.WNOWAIT)\n",
    "read file": "F = open(__file__)\nF.readline()\n",
    "random device": "F = open('/dev/urandom', 'rb')\n",
    "null device": "F = open('/dev/null', 'w')\n",
    "exit handler": "import atexit\natexit.register(int)\n",
    "asyncio policy": "import asyncio\nasyncio.run(asyncio.sleep(0))\n",
    "duplicate of a standard stream": "import os\nD = os.dup(0)\n",
    "private map": "import mmap\nM = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE)\n",
    "tempfile removed": "import tempfile\nF = tempfile.NamedTemporaryFile()\nF.close()\n",
    "imported only": "import sys, types\nm = types.ModuleType('mpi4py.MPI')\nm.Is_initialized = lambda: False\n"
    "sys.modules['mpi4py.MPI'] = m\n",
    "probe that fails": "import sys, types\nsys.modules['mpi4py.MPI'] = types.ModuleType('mpi4py.MPI')\n",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_neighbour_is_no_evidence(project, name):
    project.write("conftest.py", HARMLESS[name])
    outcome = project.run()
    assert outcome.evidence is None, outcome.done.stdout


OPTIONS = {
    "fd": ["--capture=fd"],
    "sys": ["--capture=sys"],
    "tee": ["--capture=tee-sys"],
    "none": ["-s"],
    "log file": ["-o", "log_file=session.log"],
    "live log": ["-o", "log_cli=true"],
    "faulthandler": ["-o", "faulthandler_timeout=30"],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_own_files_of_pytest_are_no_evidence(project, name):
    project.write("conftest.py", "import logging\ndef pytest_configure(): logging.warning('hello')\n")
    outcome = project.run(*OPTIONS[name])
    assert outcome.evidence is None


def test_resource_tracker_is_no_evidence(project):
    project.write("conftest.py", "from multiprocessing import resource_tracker\nresource_tracker.ensure_running()\n")
    assert project.run().evidence is None


def test_file_that_is_standard_output_is_no_evidence(project, tmp_path):
    project.write("conftest.py", "import os, sys\nD = os.dup(sys.__stdout__.fileno())\n")
    assert project.run("-s").evidence is None


def test_watch_costs_little(project):
    """A suite with nothing to find: well below what one more import costs."""
    project.write(
        "conftest.py",
        "import time, os, json\nfrom xdist_worker.evidence import Watch\nown = Watch.check\n"
        "def check(self, config):\n    best = 1.0\n    for _ in range(5):\n"
        "        begin = time.perf_counter(); found = own(self, config)\n"
        "        best = min(best, time.perf_counter() - begin)\n"
        "    open(os.environ['OUT'] + '/seconds', 'w').write(str(best))\n    return found\nWatch.check = check\n",
    )
    outcome = project.run()
    assert outcome.evidence is None
    limit = 0.05 if hasattr(sys, "pypy_version_info") else 0.01
    assert float(outcome.text("seconds")) < limit
    print(outcome.report["start_ms"], outcome.text("seconds"))
