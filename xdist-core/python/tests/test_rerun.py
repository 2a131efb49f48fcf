"""A rerun of one test repeats the arguments that decide how it is found, imported and run, and no others."""

from __future__ import annotations

import inner
import pytest

CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--own", nargs=2)
    parser.addoption("--perhaps", nargs="?", default=0, const=1)
    parser.addoption("--coverage", dest="cov_all")
"""

ALL = object()
# Arguments as typed, and what of them is repeated.
TYPED = [
    (["-n2", "-x", "-v", "--lf", "--tb=short", "-k", "a", "test_a.py", "--maxfail", "2", "-rA"], []),
    (["--junitxml=j", "--basetemp", "base", "--durations=3", "--color", "no"], []),
    (["--doctest-modules", "-o", "a=b c", "-W", "error", "--import-mode=append"], ALL),
    (["-c", "pytest.ini", "--rootdir", ".", "--confcutdir=.", "--override-ini=x=y", "-Wignore"], ALL),
    (["-xvp", "no:randomly", "-qpno:other", "-sn2"], ["-p", "no:randomly", "-pno:other", "-s"]),
    (["--log-level", "INFO", "--", "test_a.py"], ["--log-level", "INFO"]),
    (["--own", "1", "2", "test_a.py", "--perhaps", "--coverage=no"], ["--own", "1", "2", "--perhaps"]),
    (["--perhaps", "maybe", "-m", "slow"], ["--perhaps", "maybe"]),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")
    (folder / "test_a.py").write_text("def test_a(): pass\n", encoding="utf-8")
    (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def parsed(project):
    return inner.parse(project, [args for args, _ in TYPED])


@pytest.mark.parametrize("case", range(len(TYPED)), ids=lambda case: " ".join(TYPED[case][0]))
def test_arguments_that_are_repeated(parsed, case):
    args, repeated = TYPED[case]
    assert parsed[case]["repeated"] == (args if repeated is ALL else repeated)


def test_a_selection_is_repeated_where_the_project_makes_another_one(project):
    config = ["-c", "other.ini"]
    (project / "other.ini").write_text("[pytest]\naddopts = -m 'not slow'\n", encoding="utf-8")
    (found,) = inner.parse(project, [[*config, "-m", "slow or not slow", "-k", "test_a"]])
    assert found["repeated"] == [*config, "-m", "slow or not slow"]
