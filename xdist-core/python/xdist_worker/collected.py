"""Tells the controller what a session collected (`Collection`), and has pytest write down the collected node ids."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from .render import Renderer, crash_of
from .reserved import reserved
from .safe_text import attribute, integer, text
from .spool import Spool
from .units import group_names, neighbours, units
from .warnings_ import lets_cache_warnings_through


def collection(
    session: Any,
    config: Any,
    collect_reports: Iterable[Any],
    deselected: int,
    rendering: dict[str, object] | None = None,
    mode: str = "",
) -> dict[str, object]:
    """Return the `Collection` of a session; `rendering` is the controller's (80 columns without colours if missing);
    `mode` is that of `--dist`, where it is for this session to say which tests stay together.

    Calls `pytest_report_collectionfinish`, as the terminal does in serial pytest; what it raises is raised here.
    """
    items = attribute(session, "items") or []
    ids = [text(item.nodeid) for item in items]
    data: dict[str, object] = {
        "ids": ids,
        "digest": digest(ids),
        "display": _display(config, items, ids),
        "deselected": integer(deselected),
        "reports": _collect_reports(config, collect_reports, rendering or {}),
        "lines": _lines(config, items),
        "failed_first": _failed_first(config, len(ids)),
    }
    kept_together = units(items, mode)
    if kept_together is not None:
        data["units"] = kept_together
    names = group_names(items, mode)
    if names:
        data["group_names"] = names
    groups = neighbours(items, mode)
    if groups is not None:
        data["groups"] = groups
    if mode:
        data.update(reserved(items))
    if getattr(config.option, "xmlpath", None):
        data["places"] = [_place(item, nodeid) for item, nodeid in zip(items, ids)]
    stopped = attribute(session, "shouldfail") or attribute(session, "shouldstop")
    if stopped:
        data["stopped"] = text(stopped)
    data.update(_cache_state(config))
    return data


def digest(ids: Iterable[str]) -> str:
    """Return a digest of node ids in their order: equal for equal lists, for comparing workers' collections."""
    state = hashlib.blake2b(digest_size=16)
    for nodeid in ids:
        data = nodeid.encode("utf-8", "backslashreplace")
        state.update(b"%d:" % len(data))
        state.update(data)
    return state.hexdigest()


def write_nodeids(config: Any, session: Any) -> None:
    """Have pytest's own plugins write what they know after collection: `cache/nodeids`, exactly when serial would.

    The plugins decline in sessions that look like a worker's, so the sign of that is put out of their sight. Up to
    pytest 8.3 the stepwise module forgets its state in runs without `--stepwise`; it does so here as well.
    """
    manager = config.pluginmanager
    new_first = manager.get_plugin("nfplugin")
    if new_first is None:
        return
    marks = config.__dict__
    hidden = {name: marks.pop(name) for name in ("workerinput", "slaveinput") if name in marks}
    try:
        with _recorded_warnings(config):
            new_first.pytest_sessionfinish()
            stepwise = manager.get_plugin("stepwise")
            if stepwise is not None:
                stepwise.pytest_sessionfinish(session=session)
    finally:
        marks.update(hidden)


def _recorded_warnings(config: Any) -> AbstractContextManager[None]:
    """Have pytest record warnings as it does while its plugins finish a session: that a cache cannot be written."""
    if not config.pluginmanager.has_plugin("warnings"):
        return nullcontext()
    from _pytest.warnings import catch_warnings_for_item

    return catch_warnings_for_item(config=config, ihook=config.hook, when="config", item=None)


def _display(config: Any, items: Sequence[Any], ids: list[str]) -> list[str]:
    """Return what `-v` prints for each test, empty where that is the node id; an empty list if it is for all."""
    start = config.invocation_params.dir
    root = config.rootpath
    verbose = integer(getattr(config.option, "verbose", 0))
    if start == root and verbose < 1:
        return []
    relative: dict[str, str] = {}
    shown = []
    for item, nodeid in zip(items, ids):
        path, separator, rest = nodeid.partition("::")
        if start != root and path not in relative:
            relative[path] = _bestrelpath(start, root / path)
        line = _with_domain(item, relative.get(path, path) + separator + rest)
        if verbose >= 2:
            line += _other_file(item, start, path)
        shown.append("" if line == nodeid else line)
    return shown if any(shown) else []


def _with_domain(item: Any, line: str) -> str:
    """Write a test's name with `::` for dots, where its node id ends in the dotted name of its location."""
    tail = line.rsplit("::", 1)[-1].split("[")[0]
    if "." not in tail:
        return line
    domain = _location(item)[2]
    if not domain or not line.endswith(domain):
        return line
    name, bracket, parameters = domain.partition("[")
    return line[: -len(domain)] + name.replace(".", "::") + bracket + parameters


def _other_file(item: Any, start: Path, path: str) -> str:
    other = _location(item)[0]
    if not other or other.replace("\\", "/") == path:
        return ""
    return f" <- {_bestrelpath(start, Path(other))}"


def _bestrelpath(start: Path, path: Path) -> str:
    from _pytest.pathlib import bestrelpath

    return text(bestrelpath(start, path))


def _location(item: Any) -> tuple[str, int, str]:
    """Return `(file, line or -1, name)` of a test; a plugin's own test may fail to tell."""
    location = attribute(item, "location")
    if not isinstance(location, tuple) or len(location) != 3:
        return "", -1, ""
    path, line, domain = location
    return text(path), integer(line, -1), text(domain)


def _place(item: Any, nodeid: str) -> tuple[str, int]:
    path, line, _ = _location(item)
    return (path or nodeid.partition("::")[0]), line


def _lines(config: Any, items: Sequence[Any]) -> list[str]:
    answers = config.hook.pytest_report_collectionfinish(
        config=config,
        start_path=config.invocation_params.dir,
        items=items,
    )
    lines: list[str] = []
    for answer in reversed(answers):
        if isinstance(answer, str):
            lines.append(text(answer))
        else:
            lines.extend(text(line) for line in answer)
    return lines


def _failed_first(config: Any, total: int) -> int:
    plugin = config.pluginmanager.get_plugin("lfplugin")
    if plugin is None or not attribute(plugin, "active"):
        return 0
    return max(0, min(total, integer(attribute(plugin, "_previously_failed_count") or 0)))


def _cache_state(config: Any) -> dict[str, object]:
    """Return what pytest's cache plugins hold after collection, which changes some of it."""
    data: dict[str, object] = {"cache_warnings": lets_cache_warnings_through(config)}
    failed = attribute(config.pluginmanager.get_plugin("lfplugin"), "lastfailed")
    if isinstance(failed, dict):
        data["lastfailed"] = [text(nodeid) for nodeid in failed]
    stepwise = config.pluginmanager.get_plugin("stepwiseplugin")
    if stepwise is not None:
        info = attribute(stepwise, "cached_info")
        count = attribute(info, "last_test_count")
        # Up to pytest 8.3 the plugin holds nothing but the node id.
        failed = attribute(stepwise, "lastfailed") if info is None else attribute(info, "last_failed")
        data["stepwise"] = {
            "last_failed": text(failed) if failed else None,
            "last_test_count": None if count is None else integer(count),
            "skip": bool(attribute(stepwise, "skip")),
        }
    return data


def _collect_reports(config: Any, reports: Iterable[Any], rendering: dict[str, object]) -> list[dict[str, object]]:
    renderer = Renderer(config, integer(rendering.get("width"), 80), bool(rendering.get("color")))
    spool = Spool(config)
    encoded = []
    for report in reports:
        outcome = attribute(report, "outcome")
        if outcome != "passed":
            encoded.append(_collect_report(report, text(outcome), renderer, spool))
    return encoded


def _collect_report(report: Any, outcome: str, renderer: Renderer, spool: Spool) -> dict[str, object]:
    longrepr = attribute(report, "longrepr")
    head_line = text(attribute(report, "head_line") or "test session")
    terminal, plain = renderer.both(report)
    shown: dict[str, object] = {
        "terminal": spool.bounded("collection", terminal),
        "plain": spool.bounded("plain", plain),
    }
    if outcome == "skipped" and isinstance(longrepr, tuple) and len(longrepr) == 3:
        shown["skip"] = (text(longrepr[0]), integer(longrepr[1], -1), text(longrepr[2]))
    crash = crash_of(longrepr)
    if crash is not None:
        crash["message"] = spool.bounded("message", crash["message"])
        shown["crash"] = crash
    if renderer.tbstyle == "line" and outcome == "failed":
        shown["line"] = renderer.crash_line(report)
    try:
        sections = [(text(title), spool.bounded("section", content)) for title, content in report.sections]
    except Exception:
        sections = []
    return {
        "nodeid": text(attribute(report, "nodeid", "")),
        "outcome": outcome,
        "head_line": f"ERROR collecting {head_line}" if outcome == "failed" else head_line,
        "longrepr": shown,
        "sections": sections,
    }
