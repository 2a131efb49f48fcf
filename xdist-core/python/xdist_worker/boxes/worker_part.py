"""What of a test's protocol is done in the worker: wider fixtures are set up before its box, and torn down after it.

Only pytest's own hooks run here (capturing, logging, marks that skip…), and those of a few plugins that watch over what
runs; every hook of the project and of other plugins runs once, in the box.
"""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Set, Tuple

import pytest
from _pytest.runner import CallInfo

from ..status import is_pytest

_RERAISED = (pytest.exit.Exception, KeyboardInterrupt)
# Beside pytest's own: hooks that are to see what the worker does of a test.
_WATCHING = ("pytest_timeout", "xdist_worker")
_SINCE_PYTEST_8 = int(pytest.__version__.split(".")[0]) >= 8

try:
    from _pytest.logging import caplog_records_key
except ImportError:  # pragma: no cover - pytest without its logging module
    caplog_records_key = None  # type: ignore[assignment]


def _plays_a_part(plugin: Any) -> bool:
    name = getattr(plugin, "__name__", None)
    module = name if isinstance(name, str) else type(plugin).__module__
    return is_pytest(plugin) or module.split(".")[0] in _WATCHING


class WorkerPart:
    """A plugin: its protocol is the innermost while something is set up for a box."""

    def __init__(self, config: Any, session: Any, made: Set[Any]) -> None:
        self._config = config
        self._session = session
        self._made = made
        self._item: Any = None
        self._interrupt: Optional[BaseException] = None
        manager = config.pluginmanager
        others = [plugin for plugin in manager.get_plugins() if not _plays_a_part(plugin)]

        def own(name: str) -> Callable[..., Any]:
            return manager.subset_hook_caller(name, others)  # type: ignore[no-any-return]

        manager.register(self, "xdist_worker.boxes")
        self._protocol = own("pytest_runtest_protocol")
        self._setup = own("pytest_runtest_setup")
        self._teardown = own("pytest_runtest_teardown")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any) -> Optional[bool]:
        """Only what is to be done before the box of `item`."""
        if self._item is not item:
            return None
        try:
            self._set_up(item)
        except BaseException as error:
            # Not through the hooks, which may make something else of it.
            self._interrupt = error
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> None:
        """Note what is set up; says nothing."""
        self._made.add(fixturedef)

    # Before.

    def prepares(self, item: Any) -> bool:
        """Whether that is going on for `item`."""
        return self._item is item

    def lacks(self, item: Any) -> bool:
        """Whether something wider than the test does not stand yet."""
        stack = self._session._setupstate.stack
        node = item.parent
        depth = len(stack)
        for present in reversed(stack):
            if present is not node:
                return True
            node = node.parent
            depth -= 1
        if node is not None or depth:
            return True
        return any(_is_missing(item, name, fixture) for name, fixture in wider_fixtures(item))

    def prepare(self, item: Any, nextitem: Any) -> None:
        """Set up what `item` needs beyond its own. What fails is remembered by pytest, and fails again in the box."""
        self._item, self._interrupt = item, None
        try:
            self._protocol(item=item, nextitem=nextitem)
        finally:
            self._item = None
        if self._interrupt is not None:
            raise self._interrupt

    def _set_up(self, item: Any) -> None:
        has_request = hasattr(item, "_request") and hasattr(item, "_initrequest")
        if has_request and not item._request:
            item._initrequest()
        restore = _leave_out_own_set_up(item)
        try:
            CallInfo.from_call(lambda: self._setup(item=item), when="setup", reraise=_RERAISED)
            state = self._session._setupstate
            if item in state.stack:
                CallInfo.from_call(lambda: state.teardown_exact(item.parent), when="teardown", reraise=_RERAISED)
        finally:
            restore()
            if has_request:
                item._initrequest()

    # After.

    def stays_until(self, nextitem: Any) -> Any:
        """The test for which wider fixtures are kept: none if the session is about to stop."""
        session = self._session
        return None if _SINCE_PYTEST_8 and (session.shouldfail or session.shouldstop) else nextitem

    def must_tear_down(self, item: Any, nextitem: Any) -> bool:
        """Whether something stands after `item` that `nextitem` has no use for."""
        stack = self._session._setupstate.stack
        if nextitem is None:
            return bool(stack)
        if nextitem.parent is item.parent:
            # Nearly always.
            return False
        return list(stack) != nextitem.listchain()[: len(stack)]

    def tear_down(self, item: Any, nextitem: Any) -> Tuple[Any, List[Any]]:
        """Tear that down, as the end of `item`'s own teardown. Returns how it went, and what was captured."""
        item._report_sections = sections = []
        if caplog_records_key is not None:
            item.stash.setdefault(caplog_records_key, {})
        call = CallInfo.from_call(
            lambda: self._teardown(item=item, nextitem=nextitem), when="teardown", reraise=_RERAISED
        )
        return call, sections


def wider_fixtures(item: Any) -> List[Tuple[str, Any]]:
    """The fixtures of a test that live longer than it, in the order in which pytest sets them up."""
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", None) or {}
    found = []
    for name in getattr(item, "fixturenames", ()):
        definitions = known.get(name)
        if definitions and definitions[-1].scope != "function":
            found.append((name, definitions[-1]))
    return found


def _is_missing(item: Any, name: str, fixture: Any) -> bool:
    cached = fixture.cached_result
    if cached is None:
        return True
    params = getattr(getattr(item, "callspec", None), "params", None) or {}
    # Equal values need not be alike for every pytest: to look once too often does no harm.
    return name in params and params[name] is not cached[1]


def _leave_out_own_set_up(item: Any) -> Callable[[], None]:
    """Have `item.setup` set up what is wider than the item, and nothing else. Returns how to undo that."""
    state = vars(item)
    if not _SINCE_PYTEST_8 and hasattr(item, "_testcase"):
        # Up to pytest 7, fixtures of a `unittest` class need the instance of it that this makes.
        names = state["fixturenames"]
        item.fixturenames = [name for name, _ in wider_fixtures(item)]
        return lambda: state.update(fixturenames=names)
    item.setup, item.teardown = lambda: _fill(item), lambda: None

    def restore() -> None:
        del item.setup, item.teardown

    return restore


def _fill(item: Any) -> None:
    __tracebackhide__ = True
    for name, _ in wider_fixtures(item):
        item._request.getfixturevalue(name)
