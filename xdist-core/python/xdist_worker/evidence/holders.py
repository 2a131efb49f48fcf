"""Who holds a descriptor: the name in a module of the project, or the attribute of pytest's config, that leads to it.

Looked for from the names on, a step at a time, so that the nearest name is found: `LOOP` holds a loop that holds a
selector that holds an epoll instance. The search is bounded: a name is a service to the reader and no more.
"""

from __future__ import annotations

import ast
import gc
import logging
import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from .callers import is_third_party, relative

_MOST = 20_000
"""Objects looked at."""
_LEAVES = (str, bytes, int, float, complex, bool, type(None), ModuleType, CodeType, FrameType, BuiltinFunctionType)


_DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Holder(NamedTuple):
    """A name that leads to the descriptor."""

    name: str
    file: str
    line: int
    direct: bool
    """Whether the name is that of the object itself."""

    def text(self, rootdir: str) -> str:
        """`LOOP in conftest.py:4`; without a line if none assigns the name, without a file if none is known."""
        if not self.file:
            return self.name
        return f"{self.name} in {relative(self.file, rootdir)}{f':{self.line}' if self.line else ''}"


class _Root(NamedTuple):
    name: str
    file: str
    value: Any


def find(fd: int, path: str, config: Any) -> Holder | None:
    """The nearest name that leads to descriptor `fd`, or to a connection with the SQLite data base `path`."""
    rootdir = str(config.rootpath).rstrip(os.sep) + os.sep
    modules = [module for module in list(sys.modules.values()) if _is_project(module, rootdir)]
    names = {module.__name__ for module in modules}
    waiting: deque[tuple[Any, _Root, bool]] = deque(_roots(modules, names, config))
    seen: set[int] = set()
    while waiting and len(seen) < _MOST:
        value, root, direct = waiting.popleft()
        if isinstance(value, _LEAVES) or id(value) in seen:
            continue
        seen.add(id(value))
        if _holds(value, fd) or (path and _is_connection(value, path)):
            return _holder(root, modules, direct)
        waiting.extend((found, root, False) for found in _parts(value, names))
    return None


def _is_project(module: Any, rootdir: str) -> bool:
    file = getattr(module, "__file__", None)
    return isinstance(module, ModuleType) and isinstance(file, str) and file.startswith(rootdir) and not is_third_party(
        file
    )


def _roots(modules: list[ModuleType], names: set[str], config: Any) -> Iterator[tuple[Any, _Root, bool]]:
    for module in modules:
        for name, value in list(vars(module).items()):
            yield value, _Root(name, module.__file__ or "", value), True
    for plugin in config.pluginmanager.get_plugins():
        kind = type(plugin)
        if kind.__module__ in names:
            yield plugin, _Root(kind.__name__, sys.modules[kind.__module__].__file__ or "", kind), True
    for name, value in list(vars(config).items()):
        yield value, _Root(f"config.{name}", "", value), True
    for value in list(getattr(getattr(config, "stash", None), "_storage", {}).values()):
        yield value, _Root("config.stash", "", value), True


def _parts(value: Any, names: set[str]) -> Iterable[Any]:
    """What belongs to an object; nothing that leads everywhere, such as a function's globals or a pytest object."""
    if isinstance(value, type):
        return list(vars(value).values()) if value.__module__ in names else ()
    if isinstance(value, FunctionType):
        return [*(value.__closure__ or ()), *(value.__defaults__ or ()), *vars(value).values()]
    if isinstance(value, MethodType):
        return (value.__self__,)
    if isinstance(value, logging.Logger):
        # Its parent and manager lead to the handlers of all.
        return value.handlers
    if type(value).__module__.partition(".")[0] in ("_pytest", "pluggy", "xdist_worker"):
        return ()
    return [part for part in gc.get_referents(value) if part is not type(value)]


def _holds(value: object, fd: int) -> bool:
    if isinstance(value, type) or getattr(type(value), "fileno", None) is None:
        return False
    try:
        return bool(value.fileno() == fd)  # type: ignore[attr-defined]
    except Exception:
        return False


def _is_connection(value: object, path: str) -> bool:
    sqlite3 = sys.modules.get("sqlite3")
    if sqlite3 is None or not isinstance(value, sqlite3.Connection):
        return False
    try:
        cursor = sqlite3.Connection.cursor(value)
        cursor.row_factory = None
        return any(os.path.realpath(row[2]) == path for row in cursor.execute("pragma database_list") if row[2])
    except Exception:
        return False


def _holder(root: _Root, modules: list[ModuleType], direct: bool) -> Holder:
    if root.file:
        line = next(_lines(root.file, root.name, False), 0)
        return Holder(root.name, root.file, line, direct) if line else _imported(root, modules, direct)
    attribute = root.name.partition(".")[2]
    for module in modules:
        line = next(_lines(module.__file__ or "", attribute, True), 0)
        if line:
            return Holder(root.name, module.__file__ or "", line, direct)
    return Holder(root.name, "", 0, direct)


def _imported(root: _Root, modules: list[ModuleType], direct: bool) -> Holder:
    """The module that the name was imported from, if the project has it."""
    for module in modules:
        for name, value in list(vars(module).items()):
            line = next(_lines(module.__file__ or "", name, False), 0) if value is root.value else 0
            if line:
                return Holder(name, module.__file__ or "", line, direct)
    return Holder(root.name, root.file, 0, direct)


def _lines(file: str, name: str, is_attribute: bool) -> Iterator[int]:
    """Lines of a source file that assign the name or define it, or that assign any object's attribute of that name."""
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if is_attribute:
            found = isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store)
        else:
            found = isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
            found = found or (isinstance(node, _DEFINITIONS) and node.name == name)
        if found:
            yield node.lineno  # type: ignore[attr-defined]
