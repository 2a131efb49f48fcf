"""Who asks for a plugin host, and who does not."""

from __future__ import annotations

import types
from textwrap import dedent

import pytest
from _pytest.config import _prepareconfig

from xdist_worker.host.needs import BESIDE, CONTROLLER_HOOKS, KNOWN, needs
from xdist_worker.plugin import OptionsPlugin

ARGUMENTS = {
    "pytest_xdist_setupnodes": "config, specs",
    "pytest_xdist_newgateway": "gateway",
    "pytest_xdist_rsyncstart": "source, gateways",
    "pytest_xdist_rsyncfinish": "source, gateways",
    "pytest_xdist_getremotemodule": "",
    "pytest_xdist_make_scheduler": "config, log",
    "pytest_xdist_node_collection_finished": "node, ids",
    "pytest_configure_node": "node",
    "pytest_testnodeready": "node",
    "pytest_testnodedown": "node, error",
    "pytest_handlecrashitem": "crashitem, report, sched",
}


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Make a configuration that has parsed its arguments and loaded a conftest; nothing is configured."""
    made = []
    monkeypatch.chdir(tmp_path)

    def make(conftest="", *args):
        (tmp_path / "conftest.py").write_text(dedent(conftest))
        words = ["--rootdir", str(tmp_path), "--import-mode=importlib", "-p", "no:cacheprovider", *args, str(tmp_path)]
        config = _prepareconfig(words, plugins=[OptionsPlugin()])
        made.append(config)
        return config

    yield make
    for config in made:
        config._ensure_unconfigure()


def reasons(config):
    """What asks for a host, as text."""
    return needs(config)[0]


def test_every_hook_of_the_controller_asks(configured):
    assert set(ARGUMENTS) == CONTROLLER_HOOKS
    for hook, arguments in ARGUMENTS.items():
        config = configured(f"def {hook}({arguments}): pass\n")
        assert reasons(config) == [f"conftest.py implements {hook}"]


ASKING = {
    "draws a summary": ("def pytest_terminal_summary(): pass", "implements pytest_terminal_summary"),
    "sums up what it saw": (
        "def pytest_runtest_logreport(report): pass\ndef pytest_sessionfinish(): pass",
        "implements pytest_sessionfinish and pytest_runtest_logreport",
    ),
    "writes a file at the end": (
        "def pytest_collectreport(report): pass\ndef pytest_unconfigure(): pass",
        "implements pytest_unconfigure and pytest_collectreport",
    ),
    "reads the totals": ("def pytest_sessionfinish(session): print(session.testsfailed)", "looks for testsfailed"),
    "changes the exit code": ("def pytest_sessionfinish(session): session.exitstatus = 0", "looks for exitstatus"),
    "looks where it is": (
        "def pytest_configure(config):\n    if not hasattr(config, 'workerinput'): open('service', 'w').close()",
        "looks for workerinput",
    ),
    "looks by the old name": (
        "def pytest_configure(config): getattr(config, 'slaveinput', None)",
        "looks for slaveinput",
    ),
    "looks in a helper": (
        "def is_main(config): return not hasattr(config, 'workerinput')\ndef pytest_configure(config): is_main(config)",
        "looks for workerinput",
    ),
    "looks in a nested function": (
        "def pytest_configure(config):\n    def inner(): return config.workerinput\n    config.inner = inner",
        "looks for workerinput",
    ),
    "asks xdist": (
        "import xdist\ndef pytest_sessionstart(session): xdist.is_xdist_controller(session)",
        "looks for is_xdist_controller",
    ),
    "looks in a class": (
        """
        class Plugin:
            @staticmethod
            def pytest_sessionstart(session): session.config.workerinput
        def pytest_configure(config): config.pluginmanager.register(Plugin())
        """,
        "looks for workerinput",
    ),
    "registers a class later": (
        """
        class Plugin:
            def pytest_testnodedown(self, node, error): pass
        def pytest_configure(config): config.pluginmanager.register(Plugin())
        """,
        "may implement pytest_testnodedown",
    ),
}


@pytest.mark.parametrize("case", ASKING)
def test_who_asks(configured, case):
    conftest, why = ASKING[case]
    assert reasons(configured(conftest)) == [f"conftest.py {why}"]


QUIET = {
    "nothing": "",
    "a fixture that reads the worker's input": """
        import pytest
        @pytest.fixture(scope="session")
        def database(request): return getattr(request.config, "workerinput", {}).get("workerid", "master")
        """,
    "a fixture with the identity": "import pytest\n@pytest.fixture\ndef db(worker_id): return worker_id",
    "hooks of each test": "def pytest_runtest_setup(item): pass\ndef pytest_runtest_makereport(item, call): pass",
    "options and marks": "def pytest_addoption(parser): parser.addoption('--own-option')\ndef pytest_configure(): pass",
    "items": "def pytest_collection_modifyitems(items): items.sort(key=lambda item: item.name)",
    "a clean-up": "import os\ndef pytest_sessionfinish(): os.environ.pop('A', None)",
    "a number of workers": "def pytest_xdist_auto_num_workers(config): return 3",
    "repairs after a fork": "def pytest_xdist_after_fork(config, worker_id): pass",
    "what another module has": "from xdist import is_xdist_controller, is_xdist_worker",
    "the environment": "import os\ndef pytest_configure(): os.environ.get('PYTEST_XDIST_WORKER')",
}


@pytest.mark.parametrize("case", QUIET)
def test_who_does_not(configured, case):
    assert reasons(configured(QUIET[case])) == []


def test_conftests_and_plugins_are_named(configured, tmp_path, monkeypatch):
    (tmp_path / "own_plugin.py").write_text("def pytest_testnodeready(node): pass\n")
    (tmp_path / "pytest_of_a_kind.py").write_text("def pytest_terminal_summary(): pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = configured("def pytest_testnodedown(node): pass", "-p", "own_plugin", "-p", "pytest_of_a_kind")
    assert sorted(reasons(config)) == [
        "conftest.py implements pytest_testnodedown",
        "own_plugin implements pytest_testnodeready",
        "pytest-of-a-kind implements pytest_terminal_summary",
    ]


def plugin(name):
    """A plugin of that name that would ask for a host if it were not known."""
    module = types.ModuleType(name)
    exec("def pytest_terminal_summary(): pass\ndef pytest_testnodedown(): pass", module.__dict__)
    return module


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("pytest_html.plugin", "htmlpath"),
        ("pytest_jsonreport.plugin", "json_report"),
        ("pytest_reportlog.plugin", "report_log"),
        ("pytest_instafail", "instafail"),
        ("_hypothesis_pytestplugin", "hypothesis_show_statistics"),
    ],
)
def test_known_plugins_ask_if_an_option_does(configured, name, option):
    config = configured()
    config.pluginmanager.register(plugin(name), name)
    assert reasons(config) == []
    setattr(config.option, option, "report")
    shown = name.partition(".")[0]
    assert reasons(config) == [shown.replace("_", "-") if shown.startswith("pytest_") else shown]


def test_pytest_cov_asks_if_it_measures(configured):
    config = configured()
    config.pluginmanager.register(plugin("pytest_cov.plugin"), "pytest_cov")
    assert reasons(config) == []
    config.pluginmanager.register(types.ModuleType("_cov_stand_in"), "_cov")
    assert reasons(config) == ["pytest-cov"]


@pytest.mark.parametrize("name", [name for name, asks in KNOWN.items() if asks.__name__ == "_never"])
def test_known_plugins_that_never_ask(configured, name):
    config = configured()
    config.pluginmanager.register(plugin(name), name)
    assert reasons(config) == []


def test_strange_plugins_do_no_harm(configured):
    class Strange:
        __module__ = None

        def __getattr__(self, name):
            if name.startswith("pytest_"):
                raise AttributeError(name)
            raise RuntimeError(name)

    config = configured()
    config.pluginmanager.register(Strange(), "strange")
    config.pluginmanager.register(types.SimpleNamespace(pytest_terminal_summary=lambda: None), "space")
    assert isinstance(reasons(config), list)


def named(top, **names):
    module = types.ModuleType(top)
    vars(module).update(names)
    return module


def test_who_only_reports_is_configured_beside_the_collection(configured):
    assert set(KNOWN) >= BESIDE
    config = configured()
    assert needs(config) == ([], False)
    config.pluginmanager.register(named("syrupy"))
    assert needs(config) == (["syrupy"], False)
    config.pluginmanager.register(named("pytest_randomly"))
    assert needs(config) == (["syrupy", "pytest-randomly"], True)


def test_who_prepares_something_comes_before_the_collection(configured):
    assert needs(configured("def pytest_terminal_summary(): pass"))[1]
    config = configured()
    config.pluginmanager.register(named("testmon", pytest_configure_node=lambda node: None))
    assert needs(config) == ([], True)
    assert needs(configured("", "--cache-clear", "-p", "cacheprovider"))[1]
