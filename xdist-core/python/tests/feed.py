"""A plugin for an inner serial pytest: encodes what the session reports and writes it down as JSON.

So one run gives both what pytest printed and what a worker would have sent.
"""

from __future__ import annotations

import json
import os
import types

import pytest

from xdist_worker import collected, facts, junit_stub, options, warnings_
from xdist_worker.reports import ReportEncoder


class Feed:
    def __init__(self, config):
        self.config = config
        self.rendering = json.loads(os.environ["FEED_RENDERING"])
        self.data = {"reports": [], "plain": [], "warnings": [], "suite_properties": []}
        self.data["facts_cache"] = facts.cache_facts(config)
        self.collect_reports = []
        self.deselected = 0
        self.encoder = ReportEncoder(config, self.rendering)
        if os.environ.get("FEED_STUB"):
            junit_stub.install(config, lambda name, value: self.data["suite_properties"].append([name, value]))

    def pytest_collectreport(self, report):
        self.collect_reports.append(report)

    def pytest_deselected(self, items):
        self.deselected += len(items)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session):
        self.data["collection"] = collected.collection(
            session, self.config, self.collect_reports, self.deselected, self.rendering, os.environ.get("FEED_MODE", "")
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session):
        if os.environ.get("FEED_NODEIDS"):
            collected.write_nodeids(self.config, session)
            assert self.config.workerinput == {}

    def pytest_warning_recorded(self, warning_message, when, nodeid, location):
        self.data["warnings"].append(warnings_.encode_warning(warning_message, when, nodeid, location))

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        encoded = self.encoder.report(report)
        if encoded is None:
            self.data["plain"].append([report.nodeid, self.encoder.plain(report)])
        else:
            self.data["reports"].append(encoded)


@pytest.hookimpl(trylast=True)
def pytest_configure(config):
    config.feed = Feed(config)
    config.pluginmanager.register(config.feed, "feeder")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    with open(os.environ["FEED_OUT"], "w", encoding="utf-8") as file:
        json.dump(config.feed.data, file, ensure_ascii=False, allow_nan=False)


def pytest_addoption(parser):
    if "FEED_FACTS" not in os.environ:
        return
    options.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    if os.environ.get("FEED_FACTS"):
        watch = types.SimpleNamespace(identity_read=("settings.py", 14, "PYTEST_XDIST_WORKER"))
        found = facts.gather_facts(config, watch, list(config.invocation_params.args))
        with open(os.environ["FEED_FACTS"], "w", encoding="utf-8") as file:
            json.dump(found, file)
