"""Reads of the worker's identity before the fork: every reader is told apart from copies and questions."""

from __future__ import annotations

import copy
import json
import operator
import os
import pickle
import subprocess
import sys
import types

import pytest
from forks import Project

from xdist_worker.evidence import Watch
from xdist_worker.evidence.exempt import EXEMPT_READERS

KEY = "PYTEST_XDIST_WORKER"


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setenv(KEY, "gw0")
    made = Watch()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


READS = {
    "item": lambda: os.environ[KEY],
    "get": lambda: os.environ.get(KEY),
    "in": lambda: KEY in os.environ,
    "getenv": lambda: os.getenv(KEY),
    "pop": lambda: os.environ.pop(KEY),
    "setdefault": lambda: os.environ.setdefault(KEY, "x"),
    "bytes item": lambda: os.environb[KEY.encode()],
    "bytes getenv": lambda: os.getenvb(KEY.encode()),
    "made key": lambda: os.environ["pytest_xdist_worker".upper()],
    "expandvars": lambda: os.path.expandvars("$" + KEY),
}


@pytest.mark.parametrize("name", READS)
def test_environment_read_is_evidence(watch, name):
    READS[name]()
    file, _line, what = watch.identity_read
    assert file == os.path.abspath(__file__)
    assert what == "reads PYTEST_XDIST_WORKER"


COPIES = {
    "dict": lambda: dict(os.environ),
    "copy": lambda: os.environ.copy(),
    "copy module": lambda: copy.copy(os.environ),
    "items": lambda: list(os.environ.items()),
    "values": lambda: list(os.environ.values()),
    "keys": lambda: list(os.environ),
    "unpacking": lambda: {**os.environ},
    "comprehension": lambda: {name.lower(): os.environ[name] for name in os.environ},
    "sorted": lambda: [os.environ[name] for name in sorted(os.environ)],
    "update": lambda: {}.update(os.environ),
    "equality": lambda: os.environ == {},
    "repr": lambda: repr(os.environ),
    "bytes": lambda: dict(os.environb),
    "other": lambda: os.environ.get("HOME"),
    "child": lambda: subprocess.run([sys.executable, "-S", "-c", ""], check=True),
    "child with environment": lambda: subprocess.run([sys.executable, "-S", "-c", ""], check=True, env=os.environ),
}


def installed(code):
    """The code as if it stood in an installed package."""
    inner = tuple(installed(entry) if isinstance(entry, types.CodeType) else entry for entry in code.co_consts)
    return code.replace(co_filename="/env/site-packages/plugin.py", co_consts=inner)


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_by_third_parties_or_for_a_child_is_no_evidence(watch, name):
    made = COPIES[name]
    types.FunctionType(installed(made.__code__), {**made.__globals__, "__name__": "plugin"})()
    assert watch.identity_read is None


PROJECT_COPIES = {
    "dict": "dict(os.environ)",
    "copy": "os.environ.copy()",
    "items": "[pair for pair in os.environ.items()]",
    "merged": "{**os.environ}",
    "binary": "dict(os.environb)",
}


@pytest.mark.parametrize("name", PROJECT_COPIES)
def test_a_copy_that_the_project_makes_is_evidence(watch, name):
    exec(compile(PROJECT_COPIES[name], "/project/settings.py", "eval"), {"os": os, "__name__": "settings"})
    assert watch.identity_read == ("/project/settings.py", 1, f"copies os.environ with {KEY}")


def test_copies_hold_the_identity(watch):
    for made in (dict(os.environ), os.environ.copy(), {**os.environ}):
        assert made[KEY] == "gw0"
    assert dict(os.environb)[KEY.encode()] == b"gw0"


def test_classes_are_given_back():
    before = type(os.environ), type(os.environb)
    watch = Watch()
    watch.start()
    assert type(os.environ) is not before[0]
    assert isinstance(os.environ, before[0])
    watch.stop()
    assert (type(os.environ), type(os.environb)) == before


def call(**keywords):
    return keywords


INPUT_READS = {
    "item": lambda wi: wi["workerid"],
    "get": lambda wi: wi.get("workerid"),
    "pop": lambda wi: wi.pop("workerid"),
    "setdefault": lambda wi: wi.setdefault("workerid", "x"),
    "items": lambda wi: wi.items(),
    "values": lambda wi: wi.values(),
    "copy": lambda wi: wi.copy(),
    "copy module": copy.copy,
    "deep copy": copy.deepcopy,
    "dict": dict,
    "unpacking": lambda wi: {**wi},
    "call": lambda wi: call(**wi),
    "update": lambda wi: {}.update(wi),
    "json": json.dumps,
    "repr": repr,
    "format": lambda wi: f"{wi}",
    "percent": lambda wi: operator.mod("%(workerid)s", wi),
    "format map": "{workerid}".format_map,
    "equality": lambda wi: wi == {},
    "inequality": lambda wi: wi != {},
    "loop": lambda wi: [wi[key] for key in wi],
    "pickle": pickle.dumps,
    "popitem": lambda wi: wi.popitem(),
}
if sys.version_info >= (3, 9):
    INPUT_READS["union"] = lambda wi: {} | wi
    INPUT_READS["union from the left"] = lambda wi: wi | {}


@pytest.mark.parametrize("name", INPUT_READS)
def test_worker_input_read_is_evidence(watch, name):
    tracked = watch.track({"workerid": "gw0", "testrunuid": "u"})
    INPUT_READS[name](tracked)
    assert watch.identity_read is not None
    assert watch.identity_read[0] == os.path.abspath(__file__)


INPUT_QUESTIONS = {
    "truth": bool,
    "length": len,
    "keys": lambda wi: list(wi.keys()),
    "in": lambda wi: "workerid" in wi,
    "equal for all": lambda wi: wi["testrunuid"],
    "equal for all, get": lambda wi: wi.get("workercount"),
    "set": lambda wi: wi.update(workerid="gw1"),
}


@pytest.mark.parametrize("name", INPUT_QUESTIONS)
def test_question_to_worker_input_is_no_evidence(watch, name):
    tracked = watch.track({"workerid": "gw0", "testrunuid": "u", "workercount": 2})
    INPUT_QUESTIONS[name](tracked)
    assert watch.identity_read is None


def test_registered_key_is_identity(watch):
    tracked = watch.track({"workerid": "gw0", "uuid": "1"})
    tracked["uuid"]
    assert watch.identity_read is None
    watch.register("uuid")
    tracked["uuid"]
    assert watch.identity_read[2] == 'reads config.workerinput["uuid"]'


def test_values_survive_watching_and_release():
    watch = Watch()
    source = {"workerid": "gw0", "n": 1}
    tracked = watch.track(source)
    for _ in range(2):
        assert dict(tracked) == tracked == tracked.copy() == copy.copy(tracked) == {**tracked}
        assert json.loads(json.dumps(tracked)) == pickle.loads(pickle.dumps(tracked)) == dict(tracked)
        assert repr(tracked) == repr(dict(tracked))
        watch.stop()
        watch.identity_read = None
        tracked.update(workerid="gw1")
    assert tracked["workerid"] == "gw1"
    assert watch.identity_read is None
    assert type(copy.copy(tracked)) is dict


@pytest.mark.parametrize("module", EXEMPT_READERS)
def test_reader_of_the_table_does_not_count(watch, module):
    """Each row: a module of that name may read, one of another name may not."""
    code = f"import os\ndef read(): return os.environ[{KEY!r}]\n"
    known = types.ModuleType(f"{module}.part")
    exec(compile(code, f"/site-packages/{module}.py", "exec"), known.__dict__)
    assert known.read() == "gw0"
    assert watch.identity_read is None
    other = types.ModuleType("some_plugin")
    exec(compile(code, "/site-packages/some_plugin.py", "exec"), other.__dict__)
    other.read()
    assert watch.identity_read == ("/site-packages/some_plugin.py", 2, "reads PYTEST_XDIST_WORKER")


def test_reasons_are_given():
    assert all(len(reason) > 5 for reason in EXEMPT_READERS.values())


def test_read_in_a_settings_module(project):
    project.write("pkg/settings.py", f"import os\n\nNAME = 'db_' + os.environ.get({KEY!r}, 'x')\n")
    project.write("pkg/__init__.py", "")
    project.write("conftest.py", "import sys\nsys.path.insert(0, '.')\nimport pkg.settings\n")
    outcome = project.run()
    assert outcome.evidence == "pkg/settings.py:3 reads PYTEST_XDIST_WORKER"
    assert outcome.first == [outcome.evidence]


def test_read_in_configure(project):
    project.write("conftest.py", "def pytest_configure(config):\n    config.workerinput['workerid']\n")
    assert project.run().evidence == 'conftest.py:2 reads config.workerinput["workerid"]'


def test_read_by_monkeypatch_of_pytest_does_not_count(project):
    project.write("test_one.py", f"import pytest\npytest.MonkeyPatch().setenv({KEY!r}, 'x')\ndef test(): pass\n")
    assert project.run().evidence is None


def test_question_for_worker_input_is_no_evidence(project):
    project.write("conftest.py", "def pytest_configure(config):\n    assert hasattr(config, 'workerinput')\n")
    assert project.run().evidence is None


def test_read_while_collecting_in_a_subfolder_is_relative_to_rootdir(project):
    project.write("sub/test_x.py", f"import os\nos.getenv({KEY!r})\ndef test(): pass\n")
    assert project.run("sub").first == ["sub/test_x.py:2 reads PYTEST_XDIST_WORKER"]
