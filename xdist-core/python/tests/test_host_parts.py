"""What plugins of the controller's side are given: nodes, gateways, crashed tests, warnings, schedulers."""

from __future__ import annotations

import warnings

import pytest

from xdist_worker.host import retold
from xdist_worker.host.nodes import NodeManager
from xdist_worker.host.retold import warning_of
from xdist_worker.host.scheduling import settle
from xdist_worker.portable import pack, unpack
from xdist_worker.warnings_ import describe_warning


@pytest.fixture
def manager(pytestconfig):
    return NodeManager(pytestconfig, ["popen", "popen"], "run-1", ["xdist", "-n2"])


def test_a_node_has_what_plugins_touch(manager, pytestconfig):
    node = manager.make("gw1")
    assert node.gateway.id == "gw1" and node.gateway.node is node and node.config is pytestconfig
    assert node.workerinput == {
        "workerid": "gw1",
        "workercount": 2,
        "testrunuid": "run-1",
        "mainargv": ["xdist", "-n2"],
    }
    assert not hasattr(node, "workeroutput")
    assert node.nodemanager.roots == [] and node.nodemanager.testrunuid == "run-1"
    info = node.gateway._rinfo()
    assert info.platform and info.version_info[:2] >= (3, 8) and info.cwd and info.executable
    assert {"id", "spec", "sysplatform", "version_info", "executable", "cwd"} <= set(node.workerinfo)
    assert manager.nodes["gw1"] is node and {node: 1}[node] == 1
    assert repr(node) == "<WorkerController gw1>" and repr(node.gateway) == "<Gateway id='gw1'>"


def test_a_replacement_is_a_new_node(manager):
    first = manager.make("gw0")
    first.workerinput["added"] = 1
    second = manager.make("gw0")
    assert second is not first and "added" not in second.workerinput
    assert manager.nodes == {"gw0": second}


def test_specs_say_where(manager):
    spec = manager.specs[0]
    assert (str(spec), spec.popen, spec.id, spec.ssh, spec.chdir, spec.env) == ("popen", True, "gw0", None, None, {})
    assert spec == manager.specs[1] and len({*manager.specs}) == 1
    with pytest.raises(AttributeError):
        spec.__wrapped__  # noqa: B018


def test_nodes_of_several_environments(pytestconfig):
    texts = ["popen", "popen//python=/opt/pypy -X dev//env:A=1=2//chdir=sub//id=other//dont_write_bytecode"]
    manager = NodeManager(pytestconfig, texts, "run-1", [])
    spec = manager.specs[1]
    assert (spec.python, spec.env, spec.chdir, spec.id) == ("/opt/pypy -X dev", {"A": "1=2"}, "sub", "gw1")
    assert spec.dont_write_bytecode is True and spec.nice is None and str(spec) == texts[1]
    interpreter = {"version": "3.9.16", "implementation": "PyPy", "platform": "linux", "executable": "/opt/pypy"}
    manager.interpreters["gw1"] = interpreter
    node = manager.make("gw1")
    assert node.workerinfo["version_info"][:3] == (3, 9, 16) and node.workerinfo["executable"] == "/opt/pypy"
    assert node.gateway._rinfo().executable == "/opt/pypy"
    assert manager.make("gw0").gateway._rinfo().executable != "/opt/pypy"


def test_tests_of_several_environments():
    tests = retold.Tests(["a.py::x", "b.py::y", "a.py::z"], b"")
    tests.describe(["gw0"], [0, 2], pack([(("a.py", 1, "x"), ["x"]), (("a.py", 5, "z"), ["z"])]))
    tests.describe(["gw1", "gw2"], [1, 0], pack([(("b.py", 3, "y"), ["y"]), (("a.py", 1, "x"), ["x"])]))
    assert [tests.location(index) for index in range(3)] == [("a.py", 1, "x"), ("b.py", 3, "y"), ("a.py", 5, "z")]
    assert tests.of("gw2") == ["b.py::y", "a.py::x"] and tests.of("gw0") == ["a.py::x", "a.py::z"]
    assert retold.Tests(["a.py::x"], b"").of("gw0") == ["a.py::x"]


def test_a_crashed_test():
    tests = retold.Tests(["d/a.py::K::test[x]"], pack([(("d/a.py", 3, "K.test[x]"), [])]))
    report = tests.crashed(0, "gw1", "signal 9 (SIGKILL)", "last words\n")
    assert (report.outcome, report.when, report.location) == ("failed", "???", ("d/a.py", None, "K.test[x]"))
    assert "gw1" in report.longrepr and "SIGKILL" in report.longrepr
    assert report.sections == [("Captured output of the worker", "last words\n")]
    assert tests.crashed(0, "gw1", "exit code 3", "  \n").sections == []
    for seconds in ([], [0.5], [0.5, 0.25]):
        before = [(report.when, report.duration) for report in tests.passed(0, seconds, {}, {"worker_id": "gw1"})]
        assert before == list(zip(("setup", "call"), seconds))


class Nested:
    class Special(UserWarning):
        pass


class Demanding(UserWarning):
    def __init__(self, one, two):
        super().__init__(one, two)


class Refusing(UserWarning):
    def __init__(self):
        raise RuntimeError("cannot be made")


def caught(warn):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        warn()
    return found[0]


@pytest.mark.parametrize(
    ("kind", "arguments", "text"),
    [
        (UserWarning, ("careful",), "careful"),
        (DeprecationWarning, ("old", 3), "('old', 3)"),
        (pytest.PytestUnknownMarkWarning, ("mark",), "mark"),
        (Nested.Special, ("nested",), "nested"),
        (Demanding, ("a", "b"), "('a', 'b')"),
        (UserWarning, (object,), "<class 'object'>"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_warning_is_made_again(kind, arguments, text):
    message = caught(lambda: warnings.warn(kind(*arguments), stacklevel=1))
    again = warning_of(unpack(pack(describe_warning(message))))
    assert again.category is kind and type(again.message) is kind
    assert str(again.message) == text
    assert (again.filename, again.lineno) == (message.filename, message.lineno)


@pytest.mark.parametrize(
    ("module", "name"), [("no.such.module", "Gone"), (__name__, "Refusing"), (__name__, "Gone"), ("os", "getcwd")]
)
def test_a_warning_that_cannot_be_made_keeps_its_text(module, name):
    again = warning_of(
        {"module": module, "name": name, "args": (), "text": "the text", "filename": "a.py", "lineno": 3}
    )
    assert str(again.message) == "the text" and issubclass(again.category, Warning)


class Hooks:
    """Asks for a scheduler as plugins do."""

    def __init__(self, scheduler, called=True):
        self.scheduler, self.called = scheduler, called

    def get_hookimpls(self):
        return [type("Implementation", (), {"function": staticmethod(test_a_crashed_test)})] if self.called else []

    def __call__(self, config, log):
        assert log.anything.at.all is not None
        return self.scheduler


class Config:
    def __init__(self, hooks, root):
        self.hook = type("Hook", (), {"pytest_xdist_make_scheduler": hooks})
        self.option = type("Option", (), {"debug": False, "tx": ["popen", "popen"]})
        self.rootpath = root


@pytest.fixture
def schedulers():
    from xdist_worker import shim

    shim.install()
    return pytest.importorskip("xdist.scheduler")


def test_schedulers_that_say_nothing_new(schedulers, tmp_path):
    for hooks in (Hooks(None), Hooks(object(), called=False)):
        assert settle(Config(hooks, tmp_path), "load").mode == "load"
    config = Config(None, tmp_path)
    for scheduler, mode in (("LoadScheduling", "load"), ("LoadFileScheduling", "loadfile")):
        dealing = settle(Config(Hooks(getattr(schedulers, scheduler)(config)), tmp_path), mode)
        assert (dealing.mode, dealing.splits) == (mode, False)


def test_a_scheduler_decides_the_mode_and_what_stays_together(schedulers, tmp_path):
    class Mine(schedulers.LoadScopeScheduling):
        def __init__(self, config, log, separator):
            super().__init__(config, log)
            self.separator = separator

        def _split_scope(self, nodeid):
            return nodeid.partition(self.separator)[0]

    config = Config(None, tmp_path)
    dealing = settle(Config(Hooks(Mine(config, None, "[")), tmp_path), "load")
    assert (dealing.mode, dealing.splits) == ("loadscope", True)
    assert dealing.units(["a[1]", "b", "a[2]", "c[1]", "b[3]"]) == [0, 1, 0, 2, 1]
    dealing = settle(Config(Hooks(schedulers.LoadGroupScheduling(config)), tmp_path), "worksteal")
    assert (dealing.mode, dealing.splits) == ("loadgroup", False)


def test_a_scheduler_that_cannot_be_followed_is_named_with_its_place(schedulers, tmp_path):
    class Mine(schedulers.LoadScheduling):
        def schedule(self):
            pass

    config = Config(None, tmp_path)
    for scheduler, texts in (
        (Mine(config), ("Mine based on LoadScheduling", "schedule of its own")),
        (schedulers.EachScheduling(config), ("a EachScheduling", "with --dist=load tests run once")),
        (object(), ("a object", "not based on")),
        ("load", ("a str", "not based on")),
    ):
        with pytest.raises(pytest.UsageError) as caught_error:
            settle(Config(Hooks(scheduler), tmp_path), "load")
        for text in (*texts, f"{__file__}:{test_a_crashed_test.__code__.co_firstlineno}: "):
            assert text in str(caught_error.value)
