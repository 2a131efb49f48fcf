"""Repairs in forked workers, each seen from inside real tests of a real session."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from forks import NOTE, Project, both, notes

PYPY = hasattr(sys, "pypy_version_info")
TWO = (("gw0", 0), ("gw1", 0))
@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    made.write("note.py", NOTE)
    return made


def passes(outcome, workers=2):
    assert outcome.failures == ""
    assert outcome.report["statuses"] == [0] * workers, outcome.done.stderr


def test_each_worker_has_its_part_of_the_base(project):
    project.write(
        "test_one.py",
        "from note import note\n"
        "def test_path(tmp_path, tmp_path_factory, request):\n"
        "    note('paths', [str(tmp_path), str(tmp_path_factory.getbasetemp()), request.config.option.basetemp])\n",
    )
    outcome = project.run(workers=TWO)
    passes(outcome)
    for worker in ("gw0", "gw1"):
        ((path, base, option),) = notes(outcome, "paths", worker)
        assert Path(base).name == f"popen-{worker}"
        assert Path(path).parent == Path(base) == Path(option)
    assert len({Path(notes(outcome, "paths", w)[0][1]).parent for w in ("gw0", "gw1")}) == 1


def test_factory_that_a_plugin_kept_follows(project):
    project.write(
        "conftest.py", "def pytest_sessionstart(session):\n    session.config.kept = session.config._tmp_path_factory\n"
    )
    project.write(
        "test_one.py",
        "def test(request, tmp_path_factory):\n"
        "    assert request.config.kept.getbasetemp() == tmp_path_factory.getbasetemp()\n",
    )
    passes(project.run(workers=TWO))


def test_replacement_keeps_what_its_predecessor_left(project):
    project.write(
        "test_one.py",
        "from note import note\n"
        "def test(tmp_path, tmp_path_factory):\n"
        "    shared = tmp_path_factory.mktemp('data', numbered=False)\n"
        "    (shared / 'left').write_text('x')\n"
        "    note('shared', str(shared))\n",
    )
    outcome = project.run(workers=(("gw0", 0), ("gw0", 1), ("gw0", 2)))
    passes(outcome, 3)
    folders = [Path(text) for text in notes(outcome, "shared")]
    assert len(set(folders)) == 3
    assert all((folder / "left").exists() for folder in folders)
    assert folders[0].parent.name == "popen-gw0"


def test_given_base_is_kept(project, tmp_path):
    project.write(
        "test_one.py",
        "from note import note\ndef test(tmp_path_factory): note('b', str(tmp_path_factory.getbasetemp()))\n",
    )
    outcome = project.run("--basetemp", str(tmp_path / "given"), workers=TWO)
    passes(outcome)
    assert [[str(tmp_path / "given" / f"popen-{w}")] for w in ("gw0", "gw1")] == list(both(outcome, "b"))


def test_part_that_the_collector_filled_is_its_workers(project, tmp_path):
    """The collector is configured as gw0 with gw0's part; the others and a replacement get their own beside it."""
    (tmp_path / "run").mkdir()
    project.write(
        "conftest.py",
        "def pytest_sessionstart(session):\n"
        "    (session.config._tmp_path_factory.getbasetemp() / 'made').write_text('x')\n",
    )
    project.write(
        "test_one.py",
        "from note import note\n"
        "def test(tmp_path_factory):\n"
        "    base = tmp_path_factory.getbasetemp()\n    note('b', [base.name, (base / 'made').exists()])\n",
    )
    outcome = project.run(workers=(*TWO, ("gw0", 1)), base=str(tmp_path / "run"))
    passes(outcome, 3)
    assert both(outcome, "b") == ([["popen-gw0", True], ["popen-gw0-1", False]], [["popen-gw1", False]])


SEEDED = "import random\nfrom note import note\ndef test(): note('r', random.random())\n"


def test_suite_that_seeded_finds_its_state_in_every_worker(project):
    project.write("conftest.py", "import random\nrandom.seed(7)\nrandom.random()\n")
    project.write("test_one.py", SEEDED)
    first, second = both(project.run(workers=TWO), "r")
    import random

    own = random.Random(7)
    own.random()
    assert first == second == [own.random()]


@pytest.mark.parametrize("source", ["", "import random\nrandom.seed(7)\nrandom.seed()\n"])
def test_suite_that_never_seeded_finds_different_states(project, source):
    project.write("conftest.py", source)
    project.write("test_one.py", SEEDED)
    first, second = both(project.run(workers=TWO), "r")
    assert first != second


FAKE_TORCH = """
import sys, types
torch = types.ModuleType("torch")
torch.initial_seed = lambda: SEED
torch.seed = lambda: setattr(torch, "renewed", True)
sys.modules["torch"] = torch
"""


@pytest.mark.parametrize(("seed", "renewed"), [(42, False), (1 << 50, True)])
def test_torch_generator(project, seed, renewed):
    project.write("conftest.py", FAKE_TORCH.replace("SEED", str(seed)))
    project.write("test_one.py", f"import torch\ndef test(): assert hasattr(torch, 'renewed') is {renewed}\n")
    passes(project.run(workers=TWO))


CAPTURE = """
import os, sys, pytest
@pytest.mark.parametrize("n", range(5))
def test_streams(n, capfd):
    print("python", n)
    os.system("echo child")
    out, err = capfd.readouterr()
    assert out == f"python {n}\\nchild\\n"
"""

TURNS = """
import os
def test(request, pytestconfig):
    me = os.environ["PYTEST_XDIST_WORKER"]
    manager = pytestconfig.pluginmanager.getplugin("capturemanager")
    send, receive = pytestconfig.turns[me]
    for n in range(20):
        print(me, n)
        os.write(send, b".")
        assert os.read(receive, 1) == b"."
    assert manager.read_global_capture().out == "".join(f"{me} {n}\\n" for n in range(20))
"""


@pytest.mark.parametrize("method", ["fd", "sys", "tee-sys"])
def test_capture_is_a_workers_own(project, method):
    project.write(
        "conftest.py",
        "import pytest\ndef pytest_collection_modifyitems(): print('left over')\n"
        "@pytest.hookimpl(hookwrapper=True)\n"
        "def pytest_runtest_makereport(item, call):\n"
        "    outcome = yield\n    report = outcome.get_result()\n"
        "    from note import note\n"
        "    if report.when == 'call': note('captured', report.capstdout)\n",
    )
    project.write(
        "test_one.py",
        "import os, pytest\n"
        "@pytest.mark.parametrize('n', range(20))\n"
        "def test(n): print('number', n, os.environ['PYTEST_XDIST_WORKER'])\n",
    )
    outcome = project.run(f"--capture={method}", workers=TWO)
    passes(outcome)
    for worker in ("gw0", "gw1"):
        assert notes(outcome, "captured", worker) == [f"number {n} {worker}\n" for n in range(20)]


def test_siblings_at_the_same_time_do_not_mix_their_captures(project):
    """Two workers write in turns: each waits inside its test for the other's lines before it reads its own."""
    project.write("test_one.py", TURNS)
    project.write(
        "conftest.py",
        "import os\ndef pytest_configure(config):\n    (a, b), (c, d) = os.pipe(), os.pipe()\n"
        "    config.turns = {'gw0': (b, c), 'gw1': (d, a)}\n",
    )
    outcome = project.run(workers=TWO, together=True)
    passes(outcome)


@pytest.mark.parametrize("method", ["fd", "sys"])
def test_capture_fixtures_and_children(project, method):
    project.write("test_one.py", CAPTURE)
    passes(project.run(f"--capture={method}", workers=TWO))


def test_handler_made_in_conftest_keeps_working(project):
    project.write(
        "conftest.py",
        "import logging, sys\nlogging.getLogger('app').addHandler(logging.StreamHandler(sys.stdout))\n",
    )
    project.write(
        "test_one.py",
        "import logging\n"
        "def test_a(): logging.getLogger('app').error('first'); print('x')\n"
        "def test_b(): logging.getLogger('app').error('second')\n",
    )
    project.write(
        "test_two.py",
        "def test_c(capfd):\n    print('only')\n    assert capfd.readouterr().out == 'only\\n'\n",
    )
    passes(project.run(workers=TWO))


def test_output_goes_to_the_workers_streams(project):
    project.write("conftest.py", "import os\nSAVED = os.dup(1)\n")
    project.write("test_one.py", "import os\ndef test(): print('python'); os.system('echo child; echo err >&2')\n")
    outcome = project.run("-s", workers=TWO)
    for worker in ("gw0", "gw1"):
        out = outcome.text(f"{worker}-0.out")
        assert "python" in out
        assert out.count("child") == 1
        assert "err" in outcome.text(f"{worker}-0.err")
    assert "child" not in outcome.done.stdout


def test_saved_copies_of_streams_follow(project):
    """A crash writes to faulthandler's copy, capture restores its own: both are the worker's."""
    project.write(
        "test_one.py",
        "import os, signal\n"
        "def test(capfd):\n"
        "    with capfd.disabled(): os.write(1, b'disabled')\n"
        "    os.kill(os.getpid(), signal.SIGSEGV)\n",
    )
    outcome = project.run(workers=(("gw0", 0),))
    assert outcome.report["statuses"] == [11]
    assert "test_one.py" in outcome.text("gw0-0.err")
    assert "disabled" in outcome.text("gw0-0.out")
    assert "Fatal Python error" not in outcome.done.stderr


def test_standard_input_is_the_null_device(project):
    project.write(
        "test_one.py",
        "import os\n"
        "def test():\n    assert os.path.samestat(os.fstat(0), os.stat(os.devnull))\n    assert os.read(0, 1) == b''\n",
    )
    passes(project.run("-s", workers=TWO))


def test_text_written_before_the_fork_appears_once(project):
    project.write(
        "conftest.py",
        "import pytest, sys\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtestloop():\n    sys.__stdout__.write('once upon')\n",
    )
    outcome = project.run("-s", workers=TWO)
    everything = outcome.done.stdout + outcome.text("gw0-0.out") + outcome.text("gw1-0.out")
    assert everything.count("once upon") == 1


@pytest.mark.skipif(PYPY, reason="ctypes finds no C buffer of its own there")
def test_text_in_buffers_of_c_appears_once(project):
    project.write("conftest.py", "import ctypes\nctypes.CDLL(None).printf(b'from C')\n")
    project.write("test_one.py", "import ctypes\ndef test(): ctypes.CDLL(None).printf(b'in worker')\n")
    outcome = project.run("-s", workers=TWO)
    outputs = [outcome.text(f"{worker}-0.out") for worker in ("gw0", "gw1")]
    assert (outcome.done.stdout + "".join(outputs)).count("from C") == 1
    assert all(text.count("in worker") == 1 for text in outputs)


def test_file_read_before_the_fork_has_an_offset_in_each_worker(project):
    project.write("data.txt", "0123456789" * 10)
    project.write(
        "test_one.py",
        "import pathlib\nfrom note import note\nF = open(pathlib.Path(__file__).with_name('data.txt'), 'rb', 0)\n"
        "F.read(3)\ndef test(): note('read', F.read(4).decode())\n",
    )
    outcome = project.run(workers=TWO)
    assert both(outcome, "read") == (["3456"], ["3456"])


def test_log_file_has_the_lines_of_all_workers(project):
    project.write(
        "test_one.py",
        "import fcntl, logging, os\n"
        "def test(pytestconfig):\n"
        "    handler = pytestconfig.pluginmanager.getplugin('logging-plugin').log_file_handler\n"
        "    assert fcntl.fcntl(handler.stream.fileno(), fcntl.F_GETFL) & os.O_APPEND\n"
        "    logging.warning('from %s', os.environ['PYTEST_XDIST_WORKER'])\n",
    )
    outcome = project.run("-o", "log_file=all.log", workers=TWO)
    passes(outcome)
    text = (project.root / "all.log").read_text()
    assert "from gw0" in text
    assert "from gw1" in text


def test_timer_of_faulthandler_does_not_hang_a_worker(project):
    project.write("conftest.py", "import faulthandler\nfaulthandler.dump_traceback_later(300)\n")
    passes(project.run("-o", "faulthandler_timeout=60", workers=TWO))


def test_timer_runs_on_in_the_worker(project):
    project.write("conftest.py", "import signal\nsignal.setitimer(signal.ITIMER_REAL, 300)\n")
    project.write(
        "test_one.py", "import signal\ndef test(): assert 100 < signal.getitimer(signal.ITIMER_REAL)[0] <= 300\n"
    )
    passes(project.run(workers=TWO))


def test_counts_of_the_collector_are_not_the_workers(project):
    project.write("conftest.py", "def pytest_collection_finish(session):\n    session.testsfailed = 3\n")
    project.write(
        "test_one.py",
        "def test(request):\n    s = request.session\n"
        "    assert (s.testsfailed, s.shouldstop, s.shouldfail) == (0, False, False)\n",
    )
    passes(project.run(workers=TWO))


def test_request_to_stop_is_cleared_without_a_warning(project):
    project.write(
        "conftest.py",
        "def pytest_collection_finish(session):\n    session.shouldfail = session.shouldstop = 'enough'\n",
    )
    project.write(
        "test_one.py",
        "def test(request):\n    assert not request.session.shouldstop and not request.session.shouldfail\n",
    )
    outcome = project.run("-W", "error", workers=TWO)
    passes(outcome)
    assert "warning" not in outcome.done.stdout


def test_resource_tracker_of_the_collector_is_left_alone(project):
    project.write(
        "conftest.py",
        "from multiprocessing import resource_tracker\nresource_tracker.ensure_running()\n"
        "PID = resource_tracker._resource_tracker._pid\n",
    )
    project.write(
        "test_one.py",
        "import multiprocessing, conftest\nfrom multiprocessing import resource_tracker\n"
        "def test():\n    multiprocessing.Lock()\n    resource_tracker.ensure_running()\n"
        "    assert resource_tracker._resource_tracker._pid not in (None, conftest.PID)\n",
    )
    passes(project.run(workers=TWO))


def test_garbage_collection_is_as_the_suite_left_it(project):
    project.write("test_one.py", "import gc\ndef test(): assert gc.isenabled()\n")
    passes(project.run(workers=TWO))


def test_project_objects_stay_visible_to_the_garbage_collector(project):
    project.write(
        "test_one.py",
        "import gc\nclass Mine: pass\nM = Mine()\nM.me = M\n"
        "def test(): assert any(type(o) is Mine for o in gc.get_objects())\n",
    )
    passes(project.run(workers=TWO))


HOOK = """
import pytest
class Specs:
    def pytest_xdist_after_fork(self, config, worker_id): pass
def pytest_addhooks(pluginmanager): pluginmanager.add_hookspecs(Specs)
@pytest.hookimpl
def pytest_xdist_after_fork(config, worker_id):
    config.repaired_for = worker_id
"""


def test_project_repairs_in_its_hook(project):
    project.write("conftest.py", HOOK)
    project.write(
        "test_one.py",
        "import os\ndef test(request): assert request.config.repaired_for == os.environ['PYTEST_XDIST_WORKER']\n",
    )
    passes(project.run(workers=TWO))


def test_process_title(project):
    project.write("setproctitle.py", "def setproctitle(text):\n    global TITLE\n    TITLE = text\n")
    project.write("conftest.py", "import sys, os\nsys.path.insert(0, os.path.dirname(__file__))\n")
    project.write(
        "test_one.py",
        "import setproctitle, os\n"
        "def test(): assert setproctitle.TITLE == f\"[xdist worker {os.environ['PYTEST_XDIST_WORKER']}]\"\n",
    )
    passes(project.run(workers=TWO))


def test_worker_input_stays_the_same_object(project):
    project.write("conftest.py", "def pytest_configure(config):\n    config.kept = config.workerinput\n")
    project.write(
        "test_one.py",
        "import os\ndef test(request):\n    c = request.config\n    assert c.kept is c.workerinput\n"
        "    assert dict(c.kept)['workerid'] == os.environ['PYTEST_XDIST_WORKER']\n"
        "    assert type(os.environ) is os._Environ\n",
    )
    outcome = project.run(workers=TWO)
    passes(outcome)
    assert outcome.evidence is None
