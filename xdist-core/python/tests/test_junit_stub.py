"""Attributes and properties recorded in a worker reach the controller; pytest's fixtures work as in serial pytest."""

from __future__ import annotations

import textwrap
import xml.etree.ElementTree as ET

import inner

SUITE = """
    import pytest

    @pytest.fixture
    def at_the_end(record_xml_attribute):
        yield
        record_xml_attribute("late", "é")

    def test_attribute(record_xml_attribute, at_the_end):
        record_xml_attribute("assertions", 7)

    def test_failing(record_xml_attribute, record_property):
        record_xml_attribute("url", "here")
        record_property("key", 1)
        assert 0

    def test_suite(record_testsuite_property):
        record_testsuite_property("ARCH", object)
        record_testsuite_property("STORAGE", 2**70)
        with pytest.raises(TypeError, match="name parameter needs to be a string, but int given"):
            record_testsuite_property(1, 2)

    def test_plain():
        pass
"""


def write(folder):
    (folder / "test_a.py").write_text(textwrap.dedent(SUITE), encoding="utf-8")
    # As in a worker: pytest's own writer of junit.xml stays away.
    (folder / "conftest.py").write_text(
        "def pytest_configure(config):\n    config.workerinput = {}\n", encoding="utf-8"
    )
    (folder / "pytest.ini").write_text("[pytest]\njunit_family = legacy\n", encoding="utf-8")


def test_attributes_and_properties_are_collected(tmp_path):
    write(tmp_path)
    ran = inner.run(
        tmp_path, "--junitxml=out.xml", "-p", "no:cacheprovider", rendering={"junit": True}, env={"FEED_STUB": "1"}
    )
    assert not (tmp_path / "out.xml").exists()
    assert ran.data["suite_properties"] == [["ARCH", "<class 'object'>"], ["STORAGE", str(2**70)]]
    told = {(report["nodeid"].split("::")[1], report["when"]): report for report in ran.data["reports"]}
    assert told["test_attribute", "teardown"]["xml_attributes"] == [["assertions", "7"], ["late", "é"]]
    assert told["test_failing", "teardown"]["xml_attributes"] == [["url", "here"]]
    assert told["test_failing", "call"]["user_properties"] == [["key", "1"]]
    assert {name for name, _ in told} == {"test_attribute", "test_failing"}
    # The family is one that has these attributes: no warning says otherwise, as in serial pytest.
    assert not [warning for warning in ran.data["warnings"] if "incompatible" in warning["message"]]
    assert "1 failed, 3 passed" in ran.out


def test_without_junit_nothing_is_installed(tmp_path):
    write(tmp_path)
    ran = inner.run(tmp_path, "-p", "no:cacheprovider", env={"FEED_STUB": "1"})
    assert ran.data["suite_properties"] == []
    assert {report["nodeid"].split("::")[1] for report in ran.data["reports"]} == {"test_failing"}
    assert ran.exit == 1


def test_what_pytest_wrote_itself_stays(tmp_path):
    write(tmp_path)
    (tmp_path / "conftest.py").unlink()
    ran = inner.run(tmp_path, "--junitxml=out.xml", rendering={"junit": True}, env={"FEED_STUB": "1"})
    assert ran.data["suite_properties"] == []
    suite = ET.parse(tmp_path / "out.xml").getroot().find("testsuite")
    assert suite.get("tests") == "4"
