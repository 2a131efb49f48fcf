"""What is sent has the fields that the controller reads: an unknown field would be dropped without a word."""

from __future__ import annotations

import re
from pathlib import Path

import inner
import pytest

SOURCES = Path(__file__).resolve().parents[2] / "src"
NESTED = {
    "longrepr": "Longrepr",
    "crash": "Crash",
    "dist": "DistOptions",
    "display": "DisplayOptions",
    "junit": "JunitOptions",
    "cache": "CacheFacts",
    "reports": "CollectReport",
    "stepwise": "Stepwise",
}


def structures():
    """The fields of each structure of the controller, read from its sources."""
    found = {}
    for name in ("report.rs", "facts.rs", "collection.rs"):
        source = (SOURCES / name).read_text(encoding="utf-8")
        for struct, body in re.findall(r"^pub struct (\w+) \{\n(.*?)^\}", source, flags=re.S | re.M):
            found[struct] = set(re.findall(r"^    pub (\w+):", body, flags=re.M))
    return found


def check(known, struct, data):
    assert set(data) <= known[struct], struct
    for name, value in data.items():
        for part in value if isinstance(value, list) else [value]:
            if name in NESTED and isinstance(part, dict):
                check(known, NESTED[name], part)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contract")
    (folder / "test_a.py").write_text(
        "import pytest, warnings\n"
        "def test_fail(record_property):\n    record_property('a', 1); print('x'); assert 0\n"
        "def test_skip(): pytest.skip('x')\n"
        "def test_xfail(): pytest.xfail('x')\n"
        "def test_warn(): warnings.warn('x')\n",
        encoding="utf-8",
    )
    (folder / "test_b.py").write_text("import nonexistent_module\n", encoding="utf-8")
    args = ("--junitxml=x.xml", "--sw", "--durations=3", "--continue-on-collection-errors", "--tb=line", "-vv")
    # A first run, so that there is a state of the cache.
    inner.run(folder, *args)
    return inner.run(folder, *args, "--sw-skip", facts=True, rendering={"junit": True})


def test_fields_are_known(ran):
    known = structures()
    assert len(ran.data["reports"]) > 3
    for report in ran.data["reports"]:
        check(known, "Report", report)
    for _, report in ran.data["plain"]:
        check(known, "Report", report)
    for warning in ran.data["warnings"]:
        check(known, "Warning", warning)
    check(known, "Collection", ran.data["collection"])
    check(known, "Facts", ran.data["facts"])


def test_display_and_junit_facts_are_complete(ran):
    known = structures()
    assert set(ran.data["facts"]["display"]) == known["DisplayOptions"]
    assert set(ran.data["facts"]["junit"]) == known["JunitOptions"]
    assert set(ran.data["facts"]["cache"]) == known["CacheFacts"]
    assert set(ran.data["collection"]["stepwise"]) == known["Stepwise"]
