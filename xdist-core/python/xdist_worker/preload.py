"""Names the third-party plugin modules that a session imported, for the fork server to import once for all workers.

Modules of the project under test are left out: they belong to the workers, who may be watched importing them.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import Any

from .safe_text import attribute

_PYTEST = ("pytest", "_pytest", "pluggy", "xdist_worker")


def preload_modules(config: Any) -> list[str]:
    """Return the names of the modules of third-party plugins, in the order in which pytest registered them.

    Left out are pytest's own, conftests, and all whose file is below rootdir, unless it is in the interpreter's
    site-packages: many projects keep their virtual environment in their own directory.
    """
    manager = config.pluginmanager
    root = os.path.realpath(str(config.rootpath))
    site = _site_directories()
    names: list[str] = []
    for registered, plugin in manager.list_name_plugin():
        name = _module_name(plugin)
        if name is None or name in names or name.split(".")[0] in _PYTEST:
            continue
        path = attribute(sys.modules.get(name), "__file__")
        if not isinstance(path, str) or os.path.basename(path) == "conftest.py" or registered == path:
            continue
        path = os.path.realpath(path)
        if not _below(path, root) or any(_below(path, directory) for directory in site):
            names.append(name)
    return names


def _module_name(plugin: Any) -> str | None:
    """Return the name of the module that a plugin is, or that defines it."""
    if plugin is None:
        return None
    name = attribute(plugin, "__name__") if type(plugin) is type(os) else attribute(type(plugin), "__module__")
    if isinstance(plugin, type):
        name = attribute(plugin, "__module__")
    return name if isinstance(name, str) and name in sys.modules and name != "__main__" else None


def _site_directories() -> list[str]:
    paths = sysconfig.get_paths()
    return [os.path.realpath(paths[key]) for key in ("purelib", "platlib") if paths.get(key)]


def _below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip(os.sep) + os.sep)
