"""Decides whether a run needs a plugin host: which plugins and conftests have a part that plays on its side.

Asked after the initial conftests are loaded and before anything is configured. A plugin asks for a host by implementing
a hook that only the controller fires, or that tells of the whole run; or by code that looks whether it is in a worker.
What is missed here is silent later, so the rule errs on the side of a host; `KNOWN` names plugins that need one only if
an option asks for their work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .. import newhooks
from ..safe_text import attribute, text

_HERE = __name__.partition(".")[0]
# Asked for before the controller does anything, or in workers.
_ANYWHERE = ("pytest_xdist_auto_num_workers", "pytest_xdist_after_fork")
CONTROLLER_HOOKS = frozenset(name for name in vars(newhooks) if name.startswith("pytest_") and name not in _ANYWHERE)
"""Hooks that only a controller fires."""

OBSERVING = frozenset(
    (
        "pytest_runtest_logreport",
        "pytest_runtest_logstart",
        "pytest_runtest_logfinish",
        "pytest_collectreport",
        "pytest_warning_recorded",
    )
)
"""Hooks that see all tests on the controller's side, and a part of them in a worker."""

CLOSING = frozenset(("pytest_sessionfinish", "pytest_unconfigure"))
"""Hooks that draw the sum of what was seen."""

_TOTALS = frozenset(("exitstatus", "testsfailed", "testscollected", "terminalreporter", "get_terminal_writer"))
# Classes within classes are looked into this deep.
_NESTED = 3
_WORDS = CONTROLLER_HOOKS | {"workerinput", "slaveinput", "is_xdist_controller", "is_xdist_master"}


def _option(*names: str) -> Callable[[Any], bool]:
    return lambda config: any(bool(getattr(config.option, name, None)) for name in names)


def _never(_config: Any) -> bool:
    return False


def _always(_config: Any) -> bool:
    return True


KNOWN: dict[str, Callable[[Any], bool]] = {
    "_hypothesis_pytestplugin": _option("hypothesis_show_statistics"),
    "hypothesis": _option("hypothesis_show_statistics"),
    "pytest_metadata": _never,
    "pytest_html": _option("htmlpath"),
    "pytest_cov": lambda config: config.pluginmanager.has_plugin("_cov"),
    "pytest_jsonreport": _option("json_report"),
    "pytest_reportlog": _option("report_log"),
    "pytest_instafail": _option("instafail"),
    "pytest_benchmark": _never,
    "pytest_django": _never,
    "pytest_asyncio": _never,
    "anyio": _never,
    "pytest_postgresql": _never,
    "pytest_timeout": _never,
    "allure_pytest": _never,
    "pytest_bdd": _option("cucumber_json_path", "gherkin_terminal_reporter"),
    "pytest_split": _option("store_durations"),
    "pytest_sugar": _always,
    "pytest_rerunfailures": _always,
    "pytest_retry": _always,
    "flaky": _always,
    "syrupy": _always,
    "pytest_randomly": _always,
    "pytest_github_actions_annotate_failures": lambda _config: os.environ.get("GITHUB_ACTIONS") == "true",
    "testmon": _option("testmon", "testmon_noselect", "testmon_nocollect", "testmon_forceselect", "tmnet"),
}
"""Top-level modules of plugins, and when they need a host."""

BESIDE = frozenset(
    (
        "_hypothesis_pytestplugin",
        "hypothesis",
        "pytest_cov",
        "pytest_html",
        "pytest_instafail",
        "pytest_jsonreport",
        "pytest_reportlog",
        "pytest_sugar",
        "syrupy",
    )
)
"""Of those, the ones that may be configured in the host while tests are collected.

They prepare nothing that a worker uses. What pytest-cov tells workers, they know without it (`afterfork/coverage.py`).
"""

_PREPARING = frozenset(
    ("pytest_xdist_setupnodes", "pytest_xdist_newgateway", "pytest_configure_node", "pytest_xdist_make_scheduler")
)


def needs(config: Any) -> tuple[list[str], bool]:
    """What asks for a host, the most telling first, and whether that has to be ready before anything is collected."""
    found: list[str] = []
    first = bool(getattr(config.option, "cacheclear", False))
    for plugin in _foreign(config):
        top = _top(plugin)
        known = KNOWN.get(top)
        if known is None:
            why = _asks(config, plugin)
            if why:
                found.append(f"{_name(config, plugin)} {why}")
                first = True
            continue
        asks = known(config)
        if asks:
            found.append(_name(config, plugin))
        if top not in BESIDE and (asks or not _PREPARING.isdisjoint(_hooks(config, plugin))):
            first = True
    return sorted(set(found), key=found.index), first


def checks(config: Any) -> list[str]:
    """Return the settings in force that make a run fail by what a plugin finds out in a host, and nowhere else."""
    plugin = config.pluginmanager.get_plugin("_cov")
    if plugin is None or _option("no_cov")(config):
        return []
    if _option("cov_fail_under")(config):
        return ["--cov-fail-under"]
    # Where the command line says nothing, pytest-cov takes over what stands in coverage's configuration.
    return ["fail_under"] if attribute(attribute(plugin, "options"), "cov_fail_under") else []


def _foreign(config: Any) -> Iterator[Any]:
    # Not `get_plugins`, which a plugin that cannot be hashed breaks.
    for _, plugin in config.pluginmanager.list_name_plugin():
        if plugin is not None and _top(plugin) not in ("_pytest", "pytest", "pluggy", _HERE, ""):
            yield plugin


def _module(plugin: Any) -> str:
    if isinstance(plugin, ModuleType):
        return plugin.__name__
    return text(attribute(plugin if isinstance(plugin, type) else type(plugin), "__module__", ""))


def _top(plugin: Any) -> str:
    return _module(plugin).partition(".")[0]


def _name(config: Any, plugin: Any) -> str:
    if _is_conftest(plugin):
        file = str(plugin.__file__)
        shown = os.path.relpath(file, str(config.rootpath))
        return text(file if shown.startswith("..") else shown)
    return _top(plugin).replace("_", "-") if _top(plugin).startswith("pytest_") else _module(plugin)


def _is_conftest(plugin: Any) -> bool:
    file = attribute(plugin, "__file__")
    return isinstance(file, str) and os.path.basename(file) == "conftest.py"


def _hooks(config: Any, plugin: Any) -> set[str]:
    return {caller.name for caller in config.pluginmanager.get_hookcallers(plugin) or ()}


def _asks(config: Any, plugin: Any) -> str:
    names = _hooks(config, plugin)
    for name in (*sorted(CONTROLLER_HOOKS), "pytest_terminal_summary"):
        if name in names:
            return f"implements {name}"
    if names & CLOSING and names & OBSERVING:
        return f"implements {sorted(names & CLOSING)[0]} and {sorted(names & OBSERVING)[0]}"
    spaces = list(_spaces(plugin))
    # What the plugin may register once it is configured.
    for space in spaces:
        for entry in space.values():
            if isinstance(entry, type):
                for name in (*sorted(CONTROLLER_HOOKS), "pytest_terminal_summary", *sorted(OBSERVING)):
                    if name in vars(entry):
                        return f"may implement {name}"
    for space in spaces:
        for function in _functions(space):
            mentioned = set(_words(function.__code__))
            found = _WORDS & mentioned or (_TOTALS & mentioned if names & CLOSING else None)
            if found:
                return f"looks for {sorted(found)[0]}"
    return ""


def _spaces(plugin: Any) -> Iterator[dict[str, Any]]:
    """The names of the plugin's module and of its neighbours in its package, or of its class where it is an object."""
    if not isinstance(plugin, ModuleType):
        yield dict(vars(plugin if isinstance(plugin, type) else type(plugin)))
        return
    yield _own(plugin)
    package = plugin.__name__ if hasattr(plugin, "__path__") else plugin.__name__.rpartition(".")[0]
    if not package or _is_conftest(plugin):
        return
    for name, module in sorted(sys.modules.items()):
        if module is not plugin and isinstance(module, ModuleType) and f"{name}.".startswith(f"{package}."):
            yield _own(module)


def _own(module: ModuleType) -> dict[str, Any]:
    own = module.__name__
    # A copy: what stands in a module may change it when it is looked at.
    return {name: entry for name, entry in list(vars(module).items()) if attribute(entry, "__module__", own) == own}


def _functions(space: dict[str, Any], depth: int = 0) -> Iterator[FunctionType]:
    for entry in space.values():
        if isinstance(entry, FunctionType):
            if not hasattr(entry, "_pytestfixturefunction"):
                yield entry
        elif isinstance(entry, type) and depth < _NESTED:
            yield from _functions(dict(vars(entry)), depth + 1)
        elif isinstance(entry, (staticmethod, classmethod)) and isinstance(entry.__func__, FunctionType):
            yield entry.__func__


def _words(code: CodeType) -> Iterator[str]:
    """The names and strings that a function's code mentions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _words(constant)
