"""The part that pytest's processes play in a loop (`--looponfail`): a run is narrowed to what the controller names, and
the controller learns what there is to watch, what the run writes, and what its fork server could import beforehand.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, List, Optional

from .bytecode import forget
from .imports import Imports
from .narrow import Narrowing
from .writes import record

__all__ = ["Loop", "asked_for", "installed_directories"]

NAME = "xdist_worker.looponfail"


def asked_for(config: Any) -> bool:
    """Whether pytest's arguments ask for a loop."""
    return bool(getattr(config.option, "looponfail", False))


class Loop:
    """One process's part in one run of a loop."""

    def __init__(self, cycle: Dict[str, Any]) -> None:
        self._cycle = cycle
        forget(cycle.get("changed") or ())
        self._imports = Imports()
        self._narrowing: Optional[Narrowing] = None
        self._vanished: List[str] = []

    def join(self, config: Any) -> Optional[List[str]]:
        """Narrow the run before anything is configured; returns the node ids to which it is, `None` for all tests."""
        record(self._cycle.get("writes") or "", _places(config))
        self._narrowing, self._vanished = Narrowing.of(config, self._cycle.get("selection"))
        if self._narrowing is None:
            return None
        config.pluginmanager.register(self._narrowing, NAME)
        return self._narrowing.tests

    def facts(self, config: Any, selected: Optional[List[str]]) -> Dict[str, Any]:
        """`LoopFacts`."""
        data: Dict[str, Any] = {
            "roots": _roots(config),
            "outputs": _outputs(config),
            "python_files": [str(pattern) for pattern in config.getini("python_files")],
            "installed": installed_directories(),
        }
        if selected is not None:
            data["selected"] = selected
        return data

    def news(self, config: Any, failed: List[str], evidence: bool) -> Dict[str, Any]:
        """`LoopNews`; `failed` are the node ids of collectors that failed."""
        data = self._imports.news(config, evidence)
        found = [] if self._narrowing is None else self._narrowing.gone(failed)
        data["gone"] = self._vanished + found
        return data


def installed_directories() -> List[str]:
    """Where the interpreter's packages are."""
    from .imports import site_directories

    return site_directories()


def _places(config: Any) -> List[str]:
    found = [str(config.rootpath), str(config.invocation_params.dir), *_roots(config)]
    return sorted({os.path.realpath(path) for path in found})


def _roots(config: Any) -> List[str]:
    for name in ("looponfailroots", "rsyncdirs"):
        given = [str(path) for path in config.getini(name) or ()]
        if name == "rsyncdirs":
            given = [os.path.abspath(path) for path in getattr(config.option, "rsyncdir", None) or ()] + given
        if given:
            return given
    return []


# Options, by their names in pytest's parser, that name a file or directory which the run writes.
_OUTPUTS = ("xmlpath", "log_file", "basetemp", "report_log", "htmlpath", "json_report_file", "csv_path")
# Where coverage writes what it was asked for without a name.
_COVERAGE = {"html": "htmlcov", "xml": "coverage.xml", "json": "coverage.json", "lcov": "coverage.lcov"}


def _outputs(config: Any) -> List[str]:
    option = config.option
    found = [getattr(option, name, None) for name in _OUTPUTS]
    reports = getattr(option, "cov_report", None)
    if isinstance(reports, dict):
        found += [name or _COVERAGE.get(kind) for kind, name in reports.items()]
    found.append(_ini(config, "log_file"))
    here = str(config.invocation_params.dir)
    found = [os.path.join(here, os.path.expanduser(os.path.expandvars(str(path)))) for path in found if path]
    cache = getattr(config, "cache", None)
    directory = getattr(cache, "_cachedir", None) or os.path.join(str(config.rootpath), _ini(config, "cache_dir") or "")
    if os.path.normpath(str(directory)) != os.path.normpath(str(config.rootpath)):
        found.append(str(directory))
    return [os.path.normpath(path) for path in found if path not in ("", sys.prefix)]


def _ini(config: Any, name: str) -> str:
    try:
        return str(config.getini(name) or "")
    except (ValueError, KeyError):
        return ""
