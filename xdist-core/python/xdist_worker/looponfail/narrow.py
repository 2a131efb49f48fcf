"""Narrows a run to some of the tests that pytest's arguments name.

Files are picked before collection and tests after it, so that nothing but what is needed is imported, and a test that
is no more is missed and not an error.
"""

from __future__ import annotations

import fnmatch
import os
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple

import pytest


class Narrowing:
    """A plugin that leaves the tests out that were not asked for."""

    def __init__(self, config: Any, tests: List[str], files: Iterable[str]) -> None:
        self._root = str(config.rootpath)
        self.tests = tests
        self._asked = set(tests)
        self._files = {os.path.realpath(path) for path in files}
        self._found: Set[str] = set()

    @classmethod
    def of(cls, config: Any, selection: Any) -> Tuple[Optional[Narrowing], List[str]]:
        """Pick files; `None` if the run has all tests. The second part are node ids in files that are no more."""
        if isinstance(selection, dict) and "some" in selection:
            tests, files = selection["some"]
        elif selection == "last_failed":
            tests, files = _last_failed(config), []
        else:
            return None, []
        picker = _Picker(config)
        root = str(config.rootpath)
        vanished = [nodeid for nodeid in tests if not os.path.lexists(os.path.join(root, _path_of(nodeid)))]
        files = [path for path in files if picker.is_test_file(path)]
        tests = [nodeid for nodeid in tests if picker.pick(os.path.join(root, _path_of(nodeid)))]
        files = [path for path in files if picker.pick(path)]
        if not tests and not files:
            return None, vanished
        if picker.args:
            config.args = list(picker.args)
        return cls(config, tests, files), vanished

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: List[Any]) -> None:
        """Leave out what was not asked for; nobody has deselected it."""
        items[:] = [item for item in items if self._wants(item)]

    def _wants(self, item: Any) -> bool:
        wanted = [nodeid for nodeid in self._above(item.nodeid) if nodeid in self._asked]
        self._found.update(wanted)
        return bool(wanted) or os.path.realpath(os.path.join(self._root, _path_of(item.nodeid))) in self._files

    @staticmethod
    def _above(nodeid: str) -> Iterable[str]:
        """The node id, and those of the collectors above it."""
        yield nodeid
        path, *names = nodeid.split("::")
        for count in range(len(names)):
            yield "::".join([path, *names[:count]])
        while "/" in path:
            path = path.rpartition("/")[0]
            yield path
            yield path + "/__init__.py"
        yield "."
        yield ""

    def gone(self, failed: List[str]) -> List[str]:
        """What was asked for and not found, though nothing kept pytest from finding it."""
        broken = set(failed)
        missing = (nodeid for nodeid in self.tests if nodeid not in self._found)
        return [nodeid for nodeid in missing if not broken.intersection(self._above(nodeid))]


class _Picker:
    """Makes paths of arguments, as far as the user's own arguments lead to them."""

    def __init__(self, config: Any) -> None:
        self._here = str(config.invocation_params.dir)
        self._named: Optional[Dict[str, List[str]]] = {}
        self._patterns = [str(pattern) for pattern in config.getini("python_files")]
        self.args: Dict[str, None] = {}
        if getattr(config.option, "pyargs", False):
            # Names of packages lead to places that only pytest knows.
            self._named = None
            return
        for arg in config.args:
            path, separator, _ = str(arg).partition("::")
            real = os.path.realpath(os.path.join(self._here, path))
            self._named.setdefault(real, []).append(str(arg) if separator else "")

    def is_test_file(self, path: str) -> bool:
        """Whether pytest looks for tests there."""
        real = os.path.realpath(path)
        if self._named is not None and real in self._named:
            return True
        name = os.path.basename(path)
        return any(fnmatch.fnmatch(path if os.sep in pattern else name, pattern) for pattern in self._patterns)

    def pick(self, path: str) -> bool:
        """Have this file, or directory, collected; false if the user's arguments do not lead there."""
        if not os.path.exists(path):
            return False
        if self._named is None:
            return True
        real = os.path.realpath(path)
        above = real
        while True:
            args = self._named.get(above, ())
            if args:
                exact = [arg for arg in args if arg]
                for arg in exact if len(exact) == len(args) else [real]:
                    self.args[arg] = None
                return True
            parent = os.path.dirname(above)
            if parent == above:
                return False
            above = parent


def _path_of(nodeid: str) -> str:
    return nodeid.partition("::")[0].replace("/", os.sep)


def _last_failed(config: Any) -> List[str]:
    if not config.pluginmanager.has_plugin("cacheprovider") or getattr(config.option, "cacheclear", False):
        return []
    from _pytest.cacheprovider import Cache

    directory = Cache.cache_dir_from_config(config, _ispytest=True)
    known = Cache(directory, config, _ispytest=True).get("cache/lastfailed", {})
    return [str(nodeid) for nodeid in known] if isinstance(known, dict) else []
