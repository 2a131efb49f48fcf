"""A collection is told as pytest made it: ids, what `-v` prints, failed collectors, the state of the cache."""

from __future__ import annotations

import json
import textwrap

import inner
import pytest

from xdist_worker.collected import digest

VERSION = tuple(map(int, pytest.__version__.split(".")[:2]))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    sub = tmp_path / "sub"
    sub.mkdir()
    (sub / "base.py").write_text("class Base:\n    def test_base(self):\n        pass\n", encoding="utf-8")
    (sub / "test_a.py").write_text(
        textwrap.dedent(
            """
            import pytest
            from base import Base

            @pytest.mark.parametrize("x", ["a.b", "c d", "e::f[g]"])
            def test_param(x):
                pass

            class TestThis(Base):
                def test_own(self):
                    pass
            """
        ),
        encoding="utf-8",
    )
    return tmp_path


IDS = [
    "sub/test_a.py::test_param[a.b]",
    "sub/test_a.py::test_param[c d]",
    "sub/test_a.py::test_param[e::f[g]]",
    "sub/test_a.py::TestThis::test_base",
    "sub/test_a.py::TestThis::test_own",
]


def shown(ran):
    """What `-v` printed for each test."""
    return [line.rsplit(" PASSED", 1)[0] for line in ran.out.splitlines() if " PASSED" in line]


def displayed(found):
    return [text or nodeid for text, nodeid in zip(found["display"] or [""] * len(found["ids"]), found["ids"])]


def test_ids_as_they_are(project):
    found = inner.run(project).data["collection"]
    assert sorted(found["ids"]) == sorted(IDS)
    assert found["display"] == []
    assert "places" not in found
    assert found["deselected"] == 0
    assert found["reports"] == []
    assert found["failed_first"] == 0
    assert "stopped" not in found


@pytest.mark.parametrize("flag", ["-v", "-vv"])
@pytest.mark.parametrize("below", [False, True], ids=["root", "below"])
def test_display_is_what_verbose_prints(project, flag, below):
    ran = inner.run(project / "sub" if below else project, flag)
    found = ran.data["collection"]
    assert sorted(found["ids"]) == sorted(IDS)
    assert displayed(found) == shown(ran)
    if flag == "-vv":
        assert any(" <- " in line and line.endswith("base.py") for line in found["display"])
    elif not below:
        assert found["display"] == []


def test_display_of_a_dotted_name(tmp_path):
    (tmp_path / "conftest.py").write_text(
        textwrap.dedent(
            """
            import pytest

            class Item(pytest.Item):
                def runtest(self):
                    pass
                def reportinfo(self):
                    return self.path, 0, self.name

            class File(pytest.File):
                def collect(self):
                    yield Item.from_parent(self, name="a.b[c.d]")

            def pytest_collect_file(file_path, parent):
                if file_path.suffix == ".odd":
                    return File.from_parent(parent, path=file_path)
            """
        ),
        encoding="utf-8",
    )
    (tmp_path / "x.odd").write_text("", encoding="utf-8")
    ran = inner.run(tmp_path, "-v")
    assert ran.data["collection"]["display"] == ["x.odd::a::b[c.d]"]
    assert shown(ran) == ["x.odd::a::b[c.d]"]


def test_places_for_junit(project):
    found = inner.run(project, "--junitxml=out.xml").data["collection"]
    places = dict(zip(found["ids"], found["places"]))
    assert places["sub/test_a.py::test_param[a.b]"] == ["sub/test_a.py", 4]
    assert places["sub/test_a.py::TestThis::test_base"] == ["sub/base.py", 1]


def test_deselected_and_lines(project):
    (project / "conftest.py").write_text(
        "def pytest_report_collectionfinish(items):\n    return ['one', f'{len(items)} items']\n", encoding="utf-8"
    )
    found = inner.run(project, "-k", "param").data["collection"]
    assert found["deselected"] == 2
    assert found["lines"] == ["one", "3 items"]


@pytest.mark.parametrize("color", [False, True], ids=["mono", "color"])
@pytest.mark.parametrize("style", ["auto", "short", "line", "native"])
def test_failed_collectors_are_shown_as_pytest_shows_them(project, style, color):
    (project / "test_import.py").write_text("import nonexistent_module\n", encoding="utf-8")
    (project / "test_syntax.py").write_text("print('said')\ndef f(:\n", encoding="utf-8")
    (project / "test_raise.py").write_text("print('said')\nraise ValueError('x')\n", encoding="utf-8")
    (project / "test_skipped.py").write_text(
        "import pytest\npytest.skip('whole', allow_module_level=True)\n", encoding="utf-8"
    )
    ran = inner.run(project, f"--tb={style}", color=color)
    reports = ran.data["collection"]["reports"]
    failed = [report for report in reports if report["outcome"] == "failed"]
    assert [report["nodeid"] for report in failed] == ["test_import.py", "test_raise.py", "test_syntax.py"]
    expected = inner.rebuilt(failed, [report["head_line"] for report in failed], color)
    assert expected == ran.block("ERRORS")
    (skipped,) = (report for report in reports if report["outcome"] == "skipped")
    path, line, reason = skipped["longrepr"]["skip"]
    assert (path, line, reason) == (str(project / "test_skipped.py"), 2, "Skipped: whole")
    assert failed[1]["longrepr"]["crash"]["message"] == "ValueError: x" or style != "auto"


def test_stopped_by_the_first_error(project):
    (project / "test_raise.py").write_text("raise ValueError('x')\n", encoding="utf-8")
    ran = inner.run(project, "-x", "--continue-on-collection-errors")
    found = ran.data.get("collection", {})
    assert found["stopped"] == "stopping after 1 failures"


def cache(folder, name):
    return json.loads((folder / ".pytest_cache" / "v" / "cache" / name).read_text(encoding="utf-8"))


def test_failed_first_and_the_state_of_the_cache(project):
    (project / "test_b.py").write_text("def test_one(): assert 0\ndef test_two(): pass\n", encoding="utf-8")
    inner.run(project)
    ran = inner.run(project, "--ff")
    found = ran.data["collection"]
    assert found["failed_first"] == 1
    assert found["ids"][0] == "test_b.py::test_one"
    assert found["lastfailed"] == ["test_b.py::test_one"]
    assert any(line.startswith("run-last-failure: rerun previous 1 failure") for line in found["lines"])
    (project / "test_b.py").write_text("raise ValueError\n", encoding="utf-8")
    found = inner.run(project).data["collection"]
    assert sorted(found["lastfailed"]) == ["test_b.py", "test_b.py::test_one"]
    assert inner.run(project, "-p", "no:cacheprovider").data["collection"].get("lastfailed") is None


def test_stepwise(project):
    (project / "test_b.py").write_text("def test_one(): pass\ndef test_two(): assert 0\n", encoding="utf-8")
    assert inner.run(project).data["collection"].get("stepwise") is None
    assert inner.run(project, "--sw").data["collection"]["stepwise"]["last_failed"] is None
    state = inner.run(project, "--sw").data["collection"]["stepwise"]
    assert state["last_failed"] == "test_b.py::test_two"
    assert state["last_test_count"] == (7 if VERSION >= (8, 4) else None)


def test_nodeids_are_written_by_pytest(project):
    inner.run(project)
    serial = cache(project, "nodeids")
    assert serial == sorted(IDS)
    path = project / ".pytest_cache" / "v" / "cache" / "nodeids"
    path.unlink()
    lib = str(worker_plugin(project))
    # In a session that looks like a worker's, pytest does not write it.
    inner.run(project, "-p", "as_worker", extra_path=[lib])
    assert not path.exists()
    inner.run(project, "-p", "as_worker", extra_path=[lib], env={"FEED_NODEIDS": "1"})
    assert cache(project, "nodeids") == serial


def worker_plugin(project):
    lib = project / "lib"
    lib.mkdir(exist_ok=True)
    (lib / "as_worker.py").write_text(
        "import pytest\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_sessionstart(session):\n    session.config.workerinput = {}\n",
        encoding="utf-8",
    )
    return lib


def test_digest_tells_lists_apart():
    assert digest(["a", "b"]) == digest(iter(["a", "b"]))
    lists = [[], [""], ["", ""], ["ab"], ["a", "b"], ["b", "a"], ["a:b"], ["\udcff"]]
    assert len({digest(ids) for ids in lists}) == len(lists)


GROUPS = """
import pytest

@pytest.mark.xdist_group("b")
@pytest.mark.xdist_group(name="a")
def test_two_marks(): pass

@pytest.mark.xdist_group("a_b")
def test_joined(): pass

@pytest.mark.xdist_group
@pytest.mark.parametrize("x", ["c::d", "e@f", "]@g["])
def test_default(x): pass

def test_alone(): pass

@pytest.mark.xdist_group("a")
class TestThis:
    def test_of_class(self): pass
    @pytest.mark.xdist_group("b")
    def test_of_both(self): pass
    class TestInner:
        def test_inner(self): pass

def test_alone_too(): pass
"""


@pytest.mark.parametrize(
    ("mode", "units"),
    [
        ("loadscope", [0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 3]),
        ("loadfile", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("loadgroup", [0, 0, 1, 1, 1, 2, 3, 0, 3, 4, 5]),
        ("load", None),
    ],
)
def test_units(tmp_path, mode, units):
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = xdist_group: a group\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(GROUPS, encoding="utf-8")
    (tmp_path / "test_other.py").write_text("def test_it(): pass\n", encoding="utf-8")
    found = inner.run(tmp_path, env={"FEED_MODE": mode}).data["collection"]
    assert len(found["ids"]) == 11
    assert found.get("units") == units
    assert not any(nodeid.endswith(("@a", "@a_b", "@default")) for nodeid in found["ids"])


RESERVED = """
import pytest

@pytest.mark.xdist_resource("db", limit=2)
@pytest.mark.parametrize("x", range(2))
def test_db(x): pass

def test_plain(): pass

@pytest.mark.xdist_resource("db")
@pytest.mark.xdist_resource(name="gpu")
def test_both(): pass

@pytest.mark.xdist_serial
class TestSerial:
    def test_one(self): pass
    @pytest.mark.xdist_serial()
    @pytest.mark.xdist_resource("db", 2)
    def test_two(self): pass
"""


def test_reserved(tmp_path):
    (tmp_path / "test_it.py").write_text(RESERVED, encoding="utf-8")
    found = inner.run(tmp_path, "-pxdist_worker.fixtures", "--strict-markers", env={"FEED_MODE": "load"})
    collection = found.data["collection"]
    assert collection["serial"] == [4, 5]
    assert collection["resources"] == [["db", 2, [0, 1, 3, 5]], ["gpu", 1, [3]]]


VALUES = """
import pytest

@pytest.fixture(scope="module", params=["a", "b"])
def wide(request): return request.param

@pytest.fixture(params=[1, 2])
def narrow(request): return request.param

def test_one(wide): pass
def test_two(wide, narrow): pass
def test_three(narrow): pass
"""


@pytest.mark.parametrize(("mode", "groups"), [("load", [0, 0, 0, 1, 1, 1, 2, 2, 3]), ("loadfile", None)])
def test_neighbours(tmp_path, mode, groups):
    (tmp_path / "test_a.py").write_text(VALUES, encoding="utf-8")
    (tmp_path / "test_b.py").write_text("def test_it(): pass\n", encoding="utf-8")
    assert inner.run(tmp_path, env={"FEED_MODE": mode}).data["collection"].get("groups") == groups
