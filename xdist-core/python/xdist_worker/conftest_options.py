"""Options about distribution that initial conftests give: `option_tx = ["popen", …]`, `option_dist = True` or a mode,
`rsyncdirs` and `rsyncignore`.

They are defaults of the project: specs of the command line come on top, and a mode there rules. `option_tx` alone makes
no run distributed.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

import pytest

from .safe_text import text


def environments(config: Any) -> list[str]:
    """Return the specs that initial conftests list, those of outer directories first."""
    specs: list[str] = []
    for conftest in _conftests(config):
        given = vars(conftest).get("option_tx") or ()
        if isinstance(given, str):
            given = [given]
        if not isinstance(given, (list, tuple)):
            raise pytest.UsageError(f"{conftest.__file__}: option_tx: not a list of texts: {text(repr(given))}")
        specs.extend(text(spec) for spec in given)
    return specs


def mode(config: Any) -> str:
    """Return the mode that an initial conftest asks for, the innermost of those that do; `no` if none does."""
    asked: object = None
    for conftest in _conftests(config):
        asked = vars(conftest).get("option_dist", asked)
    if isinstance(asked, str):
        return text(asked)
    return "load" if asked else "no"


def paths(config: Any, name: str) -> list[str]:
    """Return the paths or patterns that initial conftests list under `name`, seen from where each of them is."""
    found: list[str] = []
    for conftest in _conftests(config):
        given = vars(conftest).get(name) or ()
        if isinstance(given, (str, os.PathLike)):
            given = [given]
        if not isinstance(given, (list, tuple)) or not all(isinstance(one, (str, os.PathLike)) for one in given):
            raise pytest.UsageError(f"{conftest.__file__}: {name}: not a list of paths: {text(repr(given))}")
        folder = os.path.dirname(os.path.abspath(str(conftest.__file__)))
        found.extend(os.path.normpath(os.path.join(folder, os.fspath(one))) for one in given)
    return found


def _conftests(config: Any) -> list[ModuleType]:
    modules = [
        plugin
        for plugin in config.pluginmanager.get_plugins()
        if isinstance(plugin, ModuleType) and os.path.basename(getattr(plugin, "__file__", None) or "") == "conftest.py"
    ]
    return sorted(modules, key=lambda module: (str(module.__file__).count(os.sep), str(module.__file__)))
