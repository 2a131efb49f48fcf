"""What every test in a worker may rely on. The number of workers and the run's id come from the harness."""

from __future__ import annotations

import os
import re
import sys
import threading

import pytest
import xdist

COUNT = int(os.environ["E2E_COUNT"])
RUN = os.environ["E2E_RUN"]


def test_environment():
    assert re.fullmatch(r"gw\d+", os.environ["PYTEST_XDIST_WORKER"])
    assert int(os.environ["PYTEST_XDIST_WORKER"][2:]) < COUNT
    assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == str(COUNT)
    assert os.environ["PYTEST_XDIST_TESTRUNUID"] == RUN


def test_fixtures(worker_id, testrun_uid):
    assert worker_id == os.environ["PYTEST_XDIST_WORKER"]
    assert testrun_uid == RUN


def test_workerinput(pytestconfig):
    data = pytestconfig.workerinput
    assert data["workerid"] == os.environ["PYTEST_XDIST_WORKER"]
    assert data["workercount"] == COUNT
    assert data["testrunuid"] == RUN
    assert isinstance(data["mainargv"], list)
    assert isinstance(pytestconfig.workeroutput, dict)


def test_main_thread():
    assert threading.current_thread() is threading.main_thread()


def test_argv():
    assert sys.argv == ["-c"]


def test_path():
    assert "" not in sys.path
    assert os.getcwd() not in sys.path or os.getcwd() == str(os.path.dirname(__file__))


def test_options(pytestconfig):
    assert pytestconfig.option.dist == "no"
    assert pytestconfig.option.numprocesses is None
    assert pytestconfig.option.usepdb is False


def test_tmp_path(tmp_path, tmp_path_factory, worker_id):
    base = tmp_path_factory.getbasetemp()
    assert base.name == f"popen-{worker_id}"
    assert base in tmp_path.parents
    assert tmp_path.is_dir()


def test_shared_base(session_base, worker_id):
    assert (session_base / f"popen-{worker_id}").is_dir()


def test_api(request, worker_id, is_worker):
    assert is_worker
    assert xdist.is_xdist_worker(request.session)
    assert not xdist.is_xdist_controller(request.session)
    assert not xdist.is_xdist_master(request)
    assert xdist.get_xdist_worker_id(request) == worker_id
    assert xdist.__version__


@pytest.mark.xdist_group("group")
def test_group_marker():
    pass


@pytest.mark.xdist_group(name="named")
def test_group_marker_named(request):
    assert "@" not in request.node.nodeid


def test_plugin_names(pytestconfig):
    assert pytestconfig.pluginmanager.hasplugin("xdist")
    assert not pytestconfig.pluginmanager.hasplugin("dsession")


def test_stdin():
    assert sys.stdin is None or sys.stdin.read is not None


def test_config_is_configured_once(pytestconfig):
    assert pytestconfig.invocation_params.args is not None
    assert len([name for name, _ in pytestconfig.pluginmanager.list_name_plugin() if name == "terminalreporter"]) == 1
