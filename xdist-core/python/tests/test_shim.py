"""`import xdist`, its modules and its metadata, where pytest-xdist is not installed."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1]
PROLOGUE = f"""
import sys
sys.path.insert(0, {str(PACKAGE)!r})
from xdist_worker import shim
shim.install()
shim.install()
assert sum(type(finder) is shim.Finder for finder in sys.meta_path) == 1
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", PROLOGUE + code], capture_output=True, encoding="utf-8", check=False, cwd=PACKAGE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def installed():
    try:
        importlib.metadata.version("no-such-project-at-all")
    except importlib.metadata.PackageNotFoundError:
        pass
    return any(
        "xdist" == str(found.metadata["Name"]).replace("pytest-", "") for found in importlib.metadata.distributions()
    )


pytestmark = pytest.mark.skipif(installed(), reason="pytest-xdist itself is found first")


def test_the_distribution_is_found_by_name_and_in_no_list():
    code = """
import importlib.metadata as metadata
for name in ("pytest-xdist", "pytest_xdist", "Pytest.Xdist"):
    print(metadata.version(name))
print(metadata.distribution("pytest-xdist").metadata["Name"])
assert "pytest-xdist" not in [found.metadata["Name"] for found in metadata.distributions()]
for other in ("xdist", "pytest-xdist-more", "no-such-project"):
    try:
        metadata.version(other)
    except metadata.PackageNotFoundError:
        continue
    raise AssertionError(other)
"""
    version, *others, name = run(code)
    assert set(others) == {version} and name == "pytest-xdist"
    assert tuple(map(int, version.split("."))) >= (3, 0)


@pytest.mark.parametrize(
    "code",
    [
        "import xdist; assert xdist.is_xdist_master is xdist.is_xdist_controller and xdist.__version__",
        "from xdist import *; is_xdist_worker, get_xdist_worker_id",
        "from xdist.newhooks import pytest_handlecrashitem, pytest_configure_node",
        "import xdist.newhooks; assert not hasattr(xdist.newhooks, 'pytest')",
        "from xdist.scheduler.loadscope import LoadScopeScheduling as a\n"
        "from xdist.scheduler import LoadScopeScheduling as b\nassert a is b and a.__module__ == 'xdist.scheduler'",
        "from xdist.scheduler.protocol import Scheduling",
        "from xdist.scheduler.worksteal import WorkStealingScheduling; assert WorkStealingScheduling.__doc__",
        "from xdist.plugin import is_xdist_worker, worker_id",
        "from xdist.workermanage import NodeManager; assert NodeManager.EXIT_TIMEOUT",
        "from xdist.dsession import DSession",
        "from xdist.remote import Producer; Producer('a', enabled=False).b('unseen')",
    ],
)
def test_what_is_imported_is_there(code):
    assert run(code) == []


@pytest.mark.parametrize("name", ["xdist.nothing", "xdist.scheduler.nothing", "xdist.newhooks.nothing"])
def test_what_is_not_provided_is_missing(name):
    run(
        f"try:\n    import {name}\n"
        f"except ModuleNotFoundError as error:\n    assert {name!r} in str(error)\nelse:\n    1/0"
    )


def test_another_package_of_that_name_comes_first(tmp_path):
    (tmp_path / "xdist").mkdir()
    (tmp_path / "xdist" / "__init__.py").write_text("MINE = 1\n")
    run(
        f"sys.path.insert(0, {str(tmp_path)!r})\nimport xdist\nassert xdist.MINE\n"
        "try:\n    import xdist.scheduler\nexcept ModuleNotFoundError:\n    pass\nelse:\n    1/0"
    )


def test_scopes():
    code = """
from xdist.scheduler import LoadFileScheduling, LoadGroupScheduling, LoadScopeScheduling
class Config:
    class option:
        tx = ["popen"] * 3
for kind, id in (
    (LoadScopeScheduling, "a.py::K::t"), (LoadScopeScheduling, "a.py::t"), (LoadFileScheduling, "a.py::K::t"),
    (LoadGroupScheduling, "a.py::t@g"), (LoadGroupScheduling, "a.py::t[x@y]"), (LoadGroupScheduling, "a.py::t[x]@g"),
):
    scheduler = kind(Config)
    assert scheduler.numnodes == 3 and scheduler.config is Config
    print(scheduler._split_scope(id))
"""
    assert run(code) == ["a.py::K", "a.py", "a.py", "g", "a.py::t[x@y]", "g"]


def test_a_producer_writes_where_it_is_enabled(capsys):
    import xdist_worker.provided.remote as remote

    log = remote.Producer("sched", enabled=True)
    log.part("a", 1)
    assert capsys.readouterr().err == "[part] a 1\n"
    assert not hasattr(log, "__wrapped__")
