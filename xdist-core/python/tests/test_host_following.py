"""The short way of plain passes through the host, and what is spared at its end."""

from __future__ import annotations

import gc
import struct
import sys
import types

import pluggy
import pytest

from xdist_worker.afterfork import collect_rest
from xdist_worker.host.following import Hook, records, written_at_once
from xdist_worker.host.spared import spare

spec = pluggy.HookspecMarker("following")
impl = pluggy.HookimplMarker("following")


class Specs:
    @spec
    def told(self, nodeid, location):
        """Told."""


@pytest.fixture
def manager():
    manager = pluggy.PluginManager("following")
    manager.add_hookspecs(Specs)
    return manager


@pytest.fixture
def hook(manager):
    return Hook(types.SimpleNamespace(hook=manager.hook, pluginmanager=manager), "told", "nodeid", "location")


def plugin(function):
    class Plugin:
        told = staticmethod(impl(function))

    return Plugin()


def wrapping(said):
    class Plugin:
        @impl(hookwrapper=True)
        def told(self):
            said.append("before")
            yield
            said.append("after")

    return Plugin()


def test_what_is_followed_comes_out_in_order():
    data = struct.pack("<II", 1, 2) + struct.pack("<IIddd", 1 | 1 << 31, 2, 0.5, 0.25, 0.0) + struct.pack("<II", 1, 3)
    assert list(records(data)) == [(1, 2, None), (1, 2, (0.5, 0.25, 0.0)), (1, 3, None)]
    assert list(records(b"")) == []


def test_a_hook_is_called_as_pluggy_calls_it(manager, hook):
    said = []
    manager.register(plugin(lambda nodeid: said.append(("first", nodeid))))
    manager.register(plugin(lambda location, nodeid: said.append(("second", nodeid, location))))
    hook("a", 1)
    shortly, said[:] = list(said), []
    manager.hook.told(nodeid="a", location=1)
    assert said == shortly == [("second", "a", 1), ("first", "a")]


def test_plugins_that_come_and_go_are_heeded(manager, hook):
    said = []
    first = plugin(lambda nodeid: said.append(nodeid))
    hook("nobody", 1)
    manager.register(first)
    hook("one", 1)
    manager.register(wrapping(said))
    hook("wrapped", 1)
    manager.unregister(first)
    hook("wrapped alone", 1)
    assert said == ["one", "before", "wrapped", "after", "before", "after"]


def test_who_monitors_hooks_sees_every_call(manager, hook):
    said = []
    manager.register(plugin(lambda nodeid: said.append(nodeid)))
    undo = manager.add_hookcall_monitoring(lambda name, *_: said.append(name), lambda *_: None)
    hook("a", 1)
    undo()
    hook("b", 1)
    assert said == ["told", "a", "b"]


def test_an_exception_of_a_plugin_is_let_through(manager, hook):
    def fail(nodeid):
        raise LookupError(nodeid)

    manager.register(plugin(fail))
    with pytest.raises(LookupError):
        hook("a", 1)


def test_the_terminal_is_written_to_at_once(pytestconfig):
    from _pytest.terminal import TerminalReporter

    flushed = []

    class File:
        encoding = "utf-8"

        def isatty(self):
            return False

        def write(self, text):
            flushed.append(text)

        def flush(self):
            flushed.append("flush")

    terminal = TerminalReporter(pytestconfig, File())
    with pytest.raises(LookupError), written_at_once(terminal):
        for letter in "ab":
            terminal._tw.write(letter)
            terminal.flush()
        raise LookupError
    assert flushed == ["a", "b", "flush"]
    terminal.flush()
    assert flushed[3:] == ["flush"]
    with written_at_once(object()):
        pass


class Summary:
    @spec
    def pytest_terminal_summary(self):
        """Told."""


@pytest.mark.parametrize(
    ("names", "option", "called"),
    [
        (["nodeid", "sections"], False, False),
        (["nodeid"], True, True),
        (["_hypothesis_failing_examples"], False, True),
    ],
)
def test_hypothesis_is_not_imported_for_nothing(manager, monkeypatch, names, option, called):
    said = []
    module = types.ModuleType("_hypothesis_pytestplugin")
    module.pytest_terminal_summary = impl(lambda: said.append(1))
    monkeypatch.delitem(sys.modules, "hypothesis", raising=False)
    manager.add_hookspecs(Summary)
    manager.register(module, "hypothesispytest")
    options = types.SimpleNamespace(hypothesis_show_statistics=option)
    spare(types.SimpleNamespace(hook=manager.hook, pluginmanager=manager, option=options), names)
    manager.hook.pytest_terminal_summary()
    assert bool(said) == called


def test_what_has_imported_hypothesis_is_called(manager, monkeypatch):
    said = []
    module = types.ModuleType("_hypothesis_pytestplugin")
    module.pytest_terminal_summary = impl(lambda: said.append(1))
    monkeypatch.setitem(sys.modules, "hypothesis", types.ModuleType("hypothesis"))
    manager.add_hookspecs(Summary)
    manager.register(module, "hypothesispytest")
    options = types.SimpleNamespace(hypothesis_show_statistics=False)
    spare(types.SimpleNamespace(hook=manager.hook, pluginmanager=manager, option=options), [])
    manager.hook.pytest_terminal_summary()
    assert said


@pytest.mark.skipif(not hasattr(gc, "freeze"), reason="nothing to freeze")
def test_garbage_of_the_run_is_looked_for_at_its_end():
    said = []

    class Node:
        def __del__(self):
            said.append("collected")

    node = Node()
    node.me = node
    del node
    try:
        collect_rest()
        assert said == ["collected"]
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
