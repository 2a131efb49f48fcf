"""Makes `record_xml_attribute` and `record_testsuite_property` work in a worker, which writes no junit.xml itself.

pytest's fixtures, and plugins, look for the writer of junit.xml in `config.stash`. In a worker there is none; what
stands there instead only collects. Attributes of a test travel with its reports, properties of the suite on their own.
"""

from __future__ import annotations

from typing import Any, Callable

from .safe_text import text, xml_text

try:
    from _pytest.junitxml import xml_key
except ImportError:  # pragma: no cover - pytest without its junitxml module
    xml_key = None


class NodeAttributes:
    """What `record_xml_attribute` writes to for one test."""

    def __init__(self) -> None:
        self.attrs: dict[str, str] = {}
        self.properties: list[tuple[str, str]] = []

    def add_attribute(self, name: object, value: object) -> None:
        """Record an attribute of the test's element."""
        self.attrs[xml_text(name)] = xml_text(value)

    def add_property(self, name: object, value: object) -> None:
        """Record a property of the test's element; pytest itself takes them from the report instead."""
        self.properties.append((xml_text(name), xml_text(value)))


class JunitStub:
    """Stands in for pytest's writer of junit.xml; writes nothing and implements no hook."""

    def __init__(self, config: Any, send_suite_property: Callable[[str, str], None]) -> None:
        getini = config.getini
        family = getini("junit_family")
        self.family = "xunit1" if family == "legacy" else family
        self.prefix = config.option.junitprefix
        self.suite_name = getini("junit_suite_name")
        self.logging = getini("junit_logging")
        self.log_passing_tests = getini("junit_log_passing_tests")
        self.report_duration = getini("junit_duration_report")
        self.global_properties: list[tuple[str, str]] = []
        self._send = send_suite_property
        self._nodes: dict[str, NodeAttributes] = {}

    def node_reporter(self, report: Any) -> NodeAttributes:
        """Return what collects the attributes of a test, given a report or a node id."""
        return self._nodes.setdefault(_key(getattr(report, "nodeid", report)), NodeAttributes())

    def add_global_property(self, name: str, value: object) -> None:
        """Record a property of the suite."""
        __tracebackhide__ = True
        if not isinstance(name, str):
            raise TypeError(f"name parameter needs to be a string, but {type(name).__name__} given")
        entry = (xml_text(name), xml_text(value))
        self.global_properties.append(entry)
        self._send(*entry)

    def has_attributes(self, nodeid: object) -> bool:
        """Return whether anything was recorded for the test."""
        return bool(self._nodes) and _key(nodeid) in self._nodes

    def take_attributes(self, nodeid: object) -> list[tuple[str, str]]:
        """Return the attributes recorded for the test, and forget them."""
        node = self._nodes.pop(_key(nodeid), None)
        return [] if node is None else list(node.attrs.items())


def _key(nodeid: object) -> str:
    return nodeid if type(nodeid) is str else text(nodeid)


def install(config: Any, send_suite_property: Callable[[str, str], None]) -> JunitStub | None:
    """Put a stub where pytest's fixtures look for the writer, if the run has `--junitxml`; return it."""
    if xml_key is None or not getattr(config.option, "xmlpath", None):
        return None
    stash = config.stash
    if stash.get(xml_key, None) is not None:
        return None
    stub = JunitStub(config, send_suite_property)
    stash[xml_key] = stub
    # pytest unregisters what it finds there when it unconfigures.
    config.pluginmanager.register(stub, "xdist_junit_stub")
    return stub


def stub_of(config: Any) -> JunitStub | None:
    """Return the stub of this session, if there is one."""
    if xml_key is None:
        return None
    found = config.stash.get(xml_key, None)
    return found if isinstance(found, JunitStub) else None
