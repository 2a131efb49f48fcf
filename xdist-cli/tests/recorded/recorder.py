"""A pytest plugin that writes down a serial run: its reports, and what pytest's own plugins made of them.

The reports have the structure in which workers send them, so that the same run can be told to the reporters.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from _pytest.junitxml import xml_key


class Recorder:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.attributes: dict[int, dict[str, str]] = {}
        self.items: list[pytest.Item] = []
        self.current = -1
        self.internal: list[str] = []
        self.collection: dict[str, Any] = {"ids": [], "places": [], "reports": []}
        self.verdicts: dict[int, list[dict[str, Any]]] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self.collection["reports"].append(
                {"nodeid": report.nodeid, "outcome": report.outcome, "longrepr": longrepr(report.longrepr)}
            )

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = session.items
        self.collection["ids"] = [item.nodeid for item in session.items]
        self.collection["places"] = [place(item) for item in session.items]
        plugins = self.config.pluginmanager
        lastfailed = plugins.get_plugin("lfplugin")
        if lastfailed is not None:
            self.collection["lastfailed"] = [str(nodeid) for nodeid in lastfailed.lastfailed]
        stepwise = plugins.get_plugin("stepwiseplugin")
        if stepwise is not None:
            info = getattr(stepwise, "cached_info", None)
            failed = stepwise.lastfailed if info is None else info.last_failed
            self.collection["stepwise"] = {
                "last_failed": str(failed) if failed else None,
                "last_test_count": getattr(info, "last_test_count", None),
                "skip": stepwise.skip,
            }

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        self.current = next(at for at, known in enumerate(self.items) if known is item)

    @pytest.fixture
    def record_xml_attribute(self, request: Any, record_xml_attribute: Any) -> Any:
        def record(name: str, value: object) -> None:
            self.attributes.setdefault(self.current, {})[name] = str(value)
            record_xml_attribute(name, value)

        return record

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Last: asking for the status of a test with failed subtests, as the terminal does, makes the test fail.
        own = self.collection["ids"][self.current]
        encoded: dict[str, Any] = {
            "when": report.when,
            "outcome": report.outcome,
            "duration": report.duration,
            "nodeid": "" if report.nodeid == own else report.nodeid,
            "longrepr": longrepr(report.longrepr),
            "sections": [list(section) for section in report.sections],
            "user_properties": [[str(name), str(value)] for name, value in report.user_properties],
            "xml_attributes": [list(pair) for pair in self.attributes.get(self.current, {}).items()],
        }
        if hasattr(report, "wasxfail"):
            encoded["wasxfail"] = report.wasxfail
        told = {key: value for key, value in encoded.items() if value or key == "wasxfail"}
        self.verdicts.setdefault(self.current, []).append(told)

    def pytest_internalerror(self, excrepr: object) -> None:
        self.internal.append(str(excrepr))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        xml = self.config.stash.get(xml_key, None)
        run = {
            "collection": self.collection,
            "verdicts": sorted(self.verdicts.items()),
            "internal": self.internal,
            "suite_properties": xml.global_properties if xml is not None else [],
        }
        with open(os.environ["RECORD_TO"], "w", encoding="utf-8") as out:
            json.dump(run, out)


def place(item: pytest.Item) -> tuple[str, int]:
    file, line, _ = item.location
    return file, -1 if line is None else line


def longrepr(value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    if isinstance(value, tuple):
        return {"skip": [str(value[0]), value[1], value[2]], "plain": str(value)}
    encoded: dict[str, Any] = {"plain": str(value)}
    crash = getattr(value, "reprcrash", None)
    if crash is not None:
        encoded["crash"] = {"path": str(crash.path), "lineno": crash.lineno, "message": crash.message}
    return encoded


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(config))
