"""Tells where a suite's modules came from: what is the project's is watched, what is installed can be imported once for
all runs of a loop.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from typing import Any, Dict, Iterable, List, Optional

_OWN = ("xdist_worker", "__main__", "__mp_main__")
# Modules that do something when they are imported.
_ACTIVE = ("antigravity", "this", "readline", "rlcompleter", "idlelib", "turtle", "gevent", "eventlet")
# Variables that libraries look at while they are imported, by how they begin.
_SENSITIVE = (
    "CUDA", "DISPLAY", "HF_", "JAX_", "KERAS_", "KMP_", "LANG", "LC_", "LD_", "MKL_", "MPL", "NUMBA_", "NUMEXPR_",
    "OMP_", "OPENBLAS_", "POLARS_", "PYTHON", "QT_", "RAY_", "SDL_", "TF_", "TORCH", "TRANSFORMERS_", "TZ", "XLA_",
)  # fmt: skip


def site_directories() -> List[str]:
    """Where installed packages are."""
    paths = sysconfig.get_paths()
    found = [paths[key] for key in ("purelib", "platlib") if paths.get(key)]
    for name in ("getsitepackages", "getusersitepackages"):
        given = getattr(site, name, list)()
        found += [given] if isinstance(given, str) else given
    return _real(found)


def _real(paths: Iterable[str]) -> List[str]:
    return list(dict.fromkeys(os.path.realpath(path) for path in paths if path))


class Imports:
    """What a process imported since this was made."""

    def __init__(self) -> None:
        self._before = set(sys.modules)
        self._environment = dict(os.environ)

    def news(self, config: Any, evidence: bool) -> Dict[str, Any]:
        """Fields of `LoopNews`."""
        from _pytest.assertion.rewrite import AssertionRewritingHook

        site_places = _Places(site_directories())
        library = _Places(_real(sysconfig.get_paths().get(key) or "" for key in ("stdlib", "platstdlib")))
        local: Dict[str, None] = {}
        rewritten: List[str] = []
        installed: List[str] = []
        files: List[str] = []
        real_path = _RealPaths()
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None) if type(module).__module__ != "unittest.mock" else None
            if not isinstance(path, str) or name.split(".")[0] in _OWN:
                continue
            real = real_path(path)
            if site_places.have(real):
                files.append(real)
            if not (site_places.have(real) or library.have(real)):
                found = _watched(name, real)
                if found:
                    local[found] = None
            elif name not in self._before and name.split(".")[0] not in _ACTIVE:
                loader = getattr(getattr(module, "__spec__", None), "loader", None)
                (rewritten if isinstance(loader, AssertionRewritingHook) else installed).append(name)
        data: Dict[str, Any] = {"imported": sorted(local), "rewritten": rewritten, "installed": installed}
        data["files"] = files
        reason = "what the collection left behind" if evidence else self._environment_set(installed + rewritten)
        if reason:
            data["keep_out"] = reason
        return data

    def _environment_set(self, modules: List[str]) -> Optional[str]:
        """The first variable that was set since, and that one of these modules may have looked at on import."""
        names = {name.split(".")[0].upper().replace("_", "") for name in modules if not name.startswith("_")}
        for key in ("gevent.monkey", "eventlet.patcher"):
            if getattr(sys.modules.get(key), "saved" if "gevent" in key else "already_patched", None):
                return key
        for name, value in os.environ.items():
            if self._environment.get(name) == value or name.startswith(("PYTEST_", "COV_CORE_")):
                continue
            about = name.split("_")[0].upper()
            if name.startswith(_SENSITIVE) or (about in names and name != "DJANGO_SETTINGS_MODULE"):
                return f"the variable {name}"
        return None


class _RealPaths:
    """Resolves links, each directory once: a suite has many modules in few of them."""

    def __init__(self) -> None:
        self._directories: Dict[str, str] = {}

    def __call__(self, path: str) -> str:
        directory, name = os.path.split(path)
        real = self._directories.get(directory)
        if real is None:
            real = self._directories[directory] = os.path.realpath(directory)
        found = os.path.join(real, name)
        return os.path.realpath(found) if os.path.islink(found) else found


class _Places:
    def __init__(self, directories: Iterable[str]) -> None:
        self._prefixes = tuple(path.rstrip(os.sep) + os.sep for path in directories)

    def have(self, path: str) -> bool:
        return path.startswith(self._prefixes)


def _watched(name: str, path: str) -> str:
    """The directory of the topmost package of a module, or the file of a module in none."""
    parts = name.split(".")
    for count in range(1, len(parts)):
        top = getattr(sys.modules.get(".".join(parts[:count])), "__file__", None)
        if isinstance(top, str) and os.path.basename(top).startswith("__init__."):
            return os.path.dirname(os.path.realpath(top))
    if os.path.basename(path).startswith("__init__."):
        return os.path.dirname(path)
    return path
