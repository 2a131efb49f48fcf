"""Tells the controller what pytest made of the arguments, ini files and initial conftests (`Facts`).

Called when pytest has parsed and loaded all that, but has configured nothing: no plugin's `pytest_configure` ran, and
nothing here may have a side effect that a later `pytest_configure` would notice.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

from . import live_log
from .distribution import dist_options, ini, plain_reason
from .host.needs import checks, needs
from .preload import preload_modules
from .rerun import repeated_options
from .safe_text import attribute, integer, seconds, text
from .trees import check_dry_run, tree_facts

__all__ = ["cache_facts", "gather_facts", "preload_modules"]


def gather_facts(config: Any, watch: Any, args: Sequence[str]) -> dict[str, object]:
    """Return the `Facts` of this session; raises `pytest.UsageError` for options that contradict each other.

    `watch.identity_read` is `(file, line, what)` of the first read of the worker's identity, or None. `args` are the
    arguments as typed; what counts is what pytest made of them, `config.args`.
    """
    option = config.option
    dist = dist_options(config)
    facts: dict[str, object] = {
        "dist": dist,
        "rootdir": text(config.rootpath),
        "invocation_dir": text(config.invocation_params.dir),
        "configfile": _configfile(config),
        "display": _display(config),
        "maxfail": _maxfail(option),
        "max_warnings": _max_warnings(config),
        "continue_on_collection_errors": bool(getattr(option, "continue_on_collection_errors", False)),
        "terminal": bool(config.pluginmanager.has_plugin("terminal")),
        "args": [text(arg) for arg in attribute(config, "args") or args],
        "repeated": repeated_options(config, args),
        "plugin_modules": preload_modules(config),
    }
    plain, trees = plain_reason(config, dist), None
    if plain is not None:
        facts["plain"] = plain
    else:
        facts["host_reasons"], facts["host_first"] = needs(config)
        facts["host_checks"] = checks(config)
        trees = tree_facts(config, args)
        if trees is not None:
            facts["trees"] = trees
    check_dry_run(option, plain, trees)
    read = attribute(watch, "identity_read")
    if read is not None:
        path, line, what = read
        facts["identity_read"] = (text(path), integer(line), text(what))
    junit = _junit(config)
    if junit is not None:
        facts["junit"] = junit
    cache = cache_facts(config)
    if cache is not None:
        facts["cache"] = cache
    return facts


def cache_facts(config: Any) -> dict[str, object] | None:
    """Return the state of pytest's cache before the run (`CacheFacts`); None if the cache provider is off.

    Works before and after configure. Before, a `Cache` is made for reading alone; `--cache-clear`, which pytest heeds
    when it configures, means that there is nothing to read.
    """
    if not config.pluginmanager.has_plugin("cacheprovider"):
        return None
    from _pytest.cacheprovider import Cache

    option = config.option
    directory = Cache.cache_dir_from_config(config, _ispytest=True)
    facts: dict[str, object] = {
        "dir": text(directory),
        "lf": bool(getattr(option, "lf", False) or getattr(option, "failedfirst", False)),
        "stepwise": any(getattr(option, name, False) for name in ("stepwise", "stepwise_skip", "stepwise_reset")),
        "pytest": _pytest_version(),
    }
    if not config.pluginmanager.is_blocked("lfplugin"):
        known: object = {}
        if not getattr(option, "cacheclear", False):
            known = Cache(directory, config, _ispytest=True).get("cache/lastfailed", {})
        facts["lastfailed"] = [text(nodeid) for nodeid in known] if isinstance(known, dict) else []
    return facts


def _configfile(config: Any) -> str:
    path = config.inipath
    if path is None:
        return ""
    from _pytest.pathlib import bestrelpath

    return text(bestrelpath(config.rootpath, path))


def _max_warnings(config: Any) -> int | None:
    """Return the limit of pytest 9.1 and later; None if there is none."""
    if not hasattr(config.option, "max_warnings"):
        return None
    limit = config.option.max_warnings
    if limit is None:
        limit = config.getini("max_warnings")
    return None if limit is None else max(0, integer(limit))


def _maxfail(option: Any) -> int:
    maxfail = integer(getattr(option, "maxfail", 0))
    # pytest compares the number of failures with it when there is one: below zero it means the first.
    return 1 if maxfail < 0 else min(maxfail, 2**32 - 1)


def _display(config: Any) -> dict[str, object]:
    option = config.option
    no_capture = getattr(option, "capture", "fd") == "no"
    live_log_on = live_log.enabled(config)
    verbosity = integer(getattr(option, "verbose", 0))
    test_cases = _test_cases_verbosity(config, verbosity)
    if live_log_on and verbosity < 1:
        # What pytest's own plugin does as soon as tests run.
        test_cases = 1 if test_cases == verbosity else test_cases
        verbosity = 1
    minimum = getattr(option, "durations_min", None)
    data: dict[str, object] = {
        "verbosity": verbosity,
        "verbosity_test_cases": test_cases,
        "tbstyle": text(getattr(option, "tbstyle", "auto")),
        "reportchars": _reportchars(config),
        "durations_min": seconds(minimum, 0.005 if verbosity < 2 else 0.0),
        "showcapture": text(getattr(option, "showcapture", "all")),
        "color": text(getattr(option, "color", "auto")),
        "no_capture": no_capture,
        "live_output": no_capture or live_log_on,
        "no_header": bool(getattr(option, "no_header", False)),
        "no_summary": bool(getattr(option, "no_summary", False)),
        "fold_skipped": bool(getattr(option, "fold_skipped", True)),
        "disable_warnings": bool(getattr(option, "disable_warnings", False)),
        "output_style": text(ini(config, "console_output_style", "progress")),
        "xfail_tb": bool(getattr(option, "xfail_tb", False)),
        "force_short_summary": bool(getattr(option, "force_short_summary", False)),
    }
    durations = getattr(option, "durations", None)
    if durations is not None:
        data["durations"] = integer(durations)
    return data


def _test_cases_verbosity(config: Any, verbosity: int) -> int:
    name = attribute(config, "VERBOSITY_TEST_CASES")
    if name is None:
        return verbosity
    try:
        return integer(config.get_verbosity(name), verbosity)
    except (AttributeError, KeyError, ValueError):
        return verbosity


def _reportchars(config: Any) -> str:
    from _pytest.terminal import getreportopt

    try:
        return text(getreportopt(config))
    except AttributeError:
        # Without the terminal plugin there is no such option.
        return ""


def _junit(config: Any) -> dict[str, object] | None:
    option = config.option
    path = getattr(option, "xmlpath", None)
    if not path:
        return None
    family = text(ini(config, "junit_family", "xunit2"))
    path = os.path.expanduser(os.path.expandvars(path))
    return {
        "path": text(os.path.normpath(os.path.abspath(path))),
        "prefix": text(getattr(option, "junitprefix", None) or ""),
        "suite_name": text(ini(config, "junit_suite_name", "pytest")),
        "logging": text(ini(config, "junit_logging", "no")),
        "log_passing": bool(ini(config, "junit_log_passing_tests", True)),
        "duration": text(ini(config, "junit_duration_report", "total")),
        "family": "xunit1" if family == "legacy" else family,
        "pytest": _pytest_version(),
    }


def _pytest_version() -> list[int]:
    version = getattr(pytest, "version_tuple", None) or pytest.__version__.split(".")
    numbers = []
    for part in version:
        if not str(part).isdigit():
            break
        numbers.append(int(part))
    return numbers
