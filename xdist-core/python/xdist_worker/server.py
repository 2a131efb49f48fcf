"""The fork server: pytest and third-party plugins imported, nothing configured, waiting to be forked.

It never runs project code. Each child connects to the controller for itself. A fresh interpreter (`--fork=never`) is
the same loop, but becomes what the first request asks for instead of forking.
"""

from __future__ import annotations

import importlib
import os
import platform
import signal
import sys
import warnings
from typing import Any, Callable, Dict, List, Optional

from . import PROTOCOL
from .bootstrap import become_pytest, own_bytecode
from .forking import fork_detached
from .link import Link, name_of

_OLDEST_PYTEST = (7, 0)
# Plugins of pytest that a session loads only when asked to.
_SELDOM = ("pytester", "pytester_assertions")

Job = Callable[[], None]
_interrupt: Any = signal.default_int_handler


def inherited_interrupt() -> Any:
    """What an interrupt did when the interpreter started: nothing, if the user's shell had it ignored."""
    return _interrupt


class Server:
    """Serves one connection."""

    def __init__(self, link: Link, socket_path: str, role: str, name: str, incarnation: int = 0) -> None:
        self._link = link
        self._path = socket_path
        self._role = role
        self._name = name
        self._incarnation = incarnation

    def serve(self) -> Optional[Job]:
        """Serve until told to finish. Returns the job of a child in the child, and `None` in the server itself."""
        global _interrupt
        _interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        reason = _import_pytest()
        if reason is not None:
            self._link.send({"unusable": reason})
            return None
        become_pytest()
        self._link.send({"hello": self._hello()})
        from .afterfork import freeze_imports, watch_seed

        watch_seed()
        freeze_imports()
        while True:
            message = self._link.receive()
            name = name_of(message)
            if message is None or name == "finish":
                return None
            if name == "preload":
                _preload([str(module) for module in message[name]])
                freeze_imports()
            elif name == "preload_plain":
                _import_all([str(module) for module in message[name]])
                freeze_imports()
            elif name == "fork":
                job = self._fork(message[name])
                if job is not None:
                    return job

    def _hello(self) -> Dict[str, Any]:
        import pluggy
        import pytest

        return {
            "protocol": PROTOCOL,
            "role": self._role,
            "id": self._name,
            "incarnation": self._incarnation,
            "pid": os.getpid(),
            "interpreter": {
                "executable": sys.executable,
                "version": platform.python_version(),
                "implementation": platform.python_implementation(),
                "platform": sys.platform,
                "cwd": os.getcwd(),
                "pytest": pytest.__version__,
                "pluggy": pluggy.__version__,
            },
        }

    def _fork(self, request: Dict[str, Any]) -> Optional[Job]:
        from .session import run

        if self._role != "server":
            # The connection is already this process's own and has said hello.
            return lambda: run(request, self._link)
        try:
            pid = fork_detached()
        except OSError as error:
            self._link.send({"refused": [request["id"], request.get("incarnation", 0), str(error)]})
            return None
        if pid is not None:
            self._link.send({"forked": [request["id"], request.get("incarnation", 0), pid]})
            return None
        self._link.close()
        path = self._path

        def job() -> None:
            run(request, connect(path, request["role"], request["id"], request.get("incarnation", 0)))

        return job


def connect(path: str, role: str, name: str, incarnation: int) -> Link:
    """The connection of a forked process, on which it has said who it is."""
    try:
        link = Link.connect(path)
    except OSError:
        # The program is gone and has left nobody to tell.
        os._exit(1)
    link.send(
        {
            "hello": {
                "protocol": PROTOCOL,
                "role": role,
                "id": name,
                "incarnation": incarnation,
                "pid": os.getpid(),
            }
        }
    )
    return link


def _import_pytest() -> Optional[str]:
    """Import pytest and this package; returns why this interpreter cannot run tests, if it cannot."""
    try:
        import pytest
    except ImportError as error:
        return str(error) if getattr(error, "name", None) == "pytest" else f"cannot import pytest: {error}"
    except Exception as error:
        return f"cannot import pytest: {type(error).__name__}: {error}"
    found = getattr(pytest, "__version__", "of an unknown version")
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST_PYTEST:
        return f"pytest {found} is too old: 7.0 or later is needed"
    from _pytest.config import default_plugins

    for name in default_plugins:
        if name not in _SELDOM:
            importlib.import_module(f"_pytest.{name}")
    try:
        with own_bytecode():
            from . import session  # noqa: F401
    except ImportError as error:
        return f"cannot load the worker package: {error}"
    return None


def _preload(modules: List[str]) -> None:
    """Import plugin modules the way pytest does, with assertions rewritten, so that it finds nothing to warn about."""
    from _pytest.assertion import AssertionState
    from _pytest.assertion.rewrite import AssertionRewritingHook, assertstate_key
    from _pytest.config import get_config

    config = get_config()
    for name in ("inicfg", "_inicfg"):
        if not hasattr(config, name):
            setattr(config, name, {})
    hook = AssertionRewritingHook(config)
    config.stash[assertstate_key] = AssertionState(config, "rewrite")
    hook.mark_rewrite(*sorted({name for module in modules for name in (module, module.split(".")[0])}))
    sys.meta_path.insert(0, hook)
    try:
        _import_all(modules)
    finally:
        sys.meta_path.remove(hook)


def _import_all(modules: List[str]) -> None:
    with warnings.catch_warnings():
        # Who heeds warnings has heard them in the session that imported this first.
        warnings.simplefilter("ignore")
        for module in modules:
            try:
                importlib.import_module(module)
            except BaseException:
                # The session that needs it will fail on it in pytest's own words.
                continue
