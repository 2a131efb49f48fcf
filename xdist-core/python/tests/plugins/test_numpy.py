"""numpy's global generator in forked workers. Where it is not installed this is an error, no skip."""

from __future__ import annotations

import numpy  # noqa: F401
import pytest
from forks import NOTE, Project, both

TWO = (("gw0", 0), ("gw1", 0))


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    made.write("note.py", NOTE)
    return made


@pytest.mark.parametrize("seed", ["", "numpy.random.seed(3)"])
def test_numpy_generator(project, seed):
    project.write("conftest.py", f"import numpy\n{seed}\n")
    project.write(
        "test_one.py", "import numpy\nfrom note import note\ndef test(): note('r', float(numpy.random.rand()))\n"
    )
    outcome = project.run(workers=TWO)
    assert outcome.evidence is None
    first, second = both(outcome, "r")
    assert (first == second) == bool(seed)
