"""coverage over forked workers, with and without pytest-cov. Where they are not installed this is an error, no skip."""

from __future__ import annotations

import pytest
import pytest_cov  # noqa: F401
from coverage import CoverageData
from forks import Project

TWO = (("gw0", 0), ("gw1", 0))


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def covered(project):
    """Executed lines of `mod.py` over all data files, and their number."""
    files = sorted(project.root.glob(".coverage.*"))
    found = set()
    for file in files:
        data = CoverageData(str(file))
        data.read()
        found |= set(data.lines(str(project.root / "mod.py")) or ())
    return found, files


MODULE = "def a():\n    return 1\n\n\ndef b():\n    return 2\n"
# Each worker runs the other function.
TEST = "import os, mod\ndef test():\n    (mod.a if os.environ['PYTEST_XDIST_WORKER'] == 'gw0' else mod.b)()\n"


def test_pytest_cov_without_its_controller(project):
    project.write("mod.py", MODULE)
    project.write("conftest.py", "import mod\n")
    project.write("test_one.py", TEST)
    outcome = project.run("-p", "pytest_cov", "--cov=mod", workers=TWO)
    assert outcome.evidence is None
    assert outcome.failures == ""
    assert outcome.report["statuses"] == [0, 0], outcome.done.stderr
    found, files = covered(project)
    assert found >= {2, 6}
    assert len(files) >= 3
    printed = outcome.done.stdout + outcome.done.stderr + "".join(outcome.text(f"{w}-0.err") for w in ("gw0", "gw1"))
    assert "Traceback" not in printed
    assert "Warning" not in printed


def test_coverage_started_by_the_environment(project):
    project.write("mod.py", MODULE)
    project.write("conftest.py", "import coverage\nC = coverage.Coverage(include=['mod.py'])\nC.start()\nimport mod\n")
    project.write("test_one.py", TEST)
    outcome = project.run(workers=TWO)
    assert outcome.report["statuses"] == [0, 0], outcome.done.stderr
    found, files = covered(project)
    assert found == {2, 6}
    assert len(files) == 2
    assert (project.root / ".coverage").exists()
