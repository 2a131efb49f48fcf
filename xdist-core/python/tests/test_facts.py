"""Facts are what pytest itself made of arguments and ini files."""

from __future__ import annotations

import json
import os
import uuid

import inner
import pytest

VERSION = tuple(map(int, pytest.__version__.split(".")[:2]))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "test_a.py").write_text("def test_a(): pass\n", encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return tmp_path


def facts(folder, *args, **kwargs):
    return inner.run(folder, *args, facts=True, check=False, **kwargs).data["facts"]


def usage_error(folder, *args):
    ran = inner.run(folder, *args, facts=True, check=False)
    assert ran.exit == 4
    return ran.out + ran.err


PLAIN = [
    ([], "no -n"),
    (["--dist=no"], "no -n"),
    (["-n", "0"], "-n 0"),
    (["-n0", "--dist=load", "--tx=popen"], "-n 0"),
    (["-n2", "--collect-only"], "--collect-only"),
    (["-n2", "--fixtures"], "--fixtures"),
    (["-n2", "--fixtures-per-test"], "--fixtures-per-test"),
    (["-n2", "--markers"], "--markers"),
    (["-n2", "--cache-show"], "--cache-show"),
    (["-n2", "--setup-show"], "--setup-show"),
    (["-n2", "--setup-plan"], "--setup-plan"),
    (["-n", "auto", "--pdb"], "--pdb with -n auto"),
    (["-d", "--pdb"], "--pdb with -n auto"),
    (["-n", "logical", "--trace"], "--trace with -n logical"),
    (["-n2", "--collect-only", "--pdb"], "--collect-only"),
]

DISTRIBUTED = [
    (["-n2"], {"numprocesses": 2, "mode": "load", "tx": []}),
    (["-n2", "--dist=no"], {"numprocesses": 2, "mode": "load"}),
    (["-n2", "--dist=loadfile", "--cache-clear"], {"numprocesses": 2, "mode": "loadfile"}),
    (["-n", "auto", "--maxprocesses=3"], {"auto": "auto", "mode": "load", "maxprocesses": 3}),
    (["-n", "logical"], {"auto": "logical", "mode": "load"}),
    (["-d"], {"auto": "auto", "mode": "load"}),
    (["-n2", "--dist=loadfile", "--no-loadscope-reorder"], {"mode": "loadfile", "keep_order": True}),
    (["--dist=worksteal"], {"auto": "auto", "mode": "worksteal"}),
    (["--tx=2*popen"], {"tx": ["2*popen"], "mode": "load"}),
    (["-n2", "--testrunuid=me"], {"testrunuid": "me"}),
    (["-n2", "--max-worker-restart=0"], {"max_worker_restart": 0}),
    (["-n2", "--px=a", "--rsyncdir=b"], {"px": ["a"]}),
    (["-f"], {"mode": "load", "numprocesses": 1}),
    (["-f", "-n2"], {"mode": "load", "numprocesses": 2}),
    (["-n2", "-o", "xdist_fork=never"], {"fork": "never"}),
    (["-n2", "-o", "xdist_slow_after=2.5"], {"slow_after": "2.5"}),
    (["--boxed"], {"mode": "load", "numprocesses": 1, "tx": []}),
    (["--forked", "-n0"], {"mode": "load", "numprocesses": 1}),
    (["--boxed", "-n3", "--dist=loadfile"], {"mode": "loadfile", "numprocesses": 3}),
    (["--boxed", "--tx=2*popen"], {"mode": "load", "tx": ["2*popen"]}),
]


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """The facts of all the lists of arguments above."""
    folder = tmp_path_factory.mktemp("parsed")
    lists = [args for args, _ in PLAIN + DISTRIBUTED]
    return {" ".join(args): found for args, found in zip(lists, inner.parse(folder, lists))}


def words(value):
    return " ".join(value) if isinstance(value, list) else ""


@pytest.mark.parametrize(("args", "reason"), PLAIN, ids=words)
def test_plain_runs(parsed, args, reason):
    assert parsed[" ".join(args)]["plain"].startswith(reason)


@pytest.mark.parametrize(("args", "expected"), DISTRIBUTED, ids=words)
def test_distributed_runs(parsed, args, expected):
    found = parsed[" ".join(args)]
    assert "plain" not in found
    assert {name: found["dist"].get(name) for name in expected} == expected
    assert ("auto" in found["dist"]) == ("auto" in expected)


def test_options_of_ini_file_and_environment_count(project):
    (project / "pytest.ini").write_text("[pytest]\naddopts = -n 3 -v\n", encoding="utf-8")
    assert facts(project)["dist"]["numprocesses"] == 3
    assert facts(project, env={"PYTEST_ADDOPTS": "-n 4"})["dist"]["numprocesses"] == 4


def test_options_of_conftests_count(project):
    outer = "option_tx = ['popen', 'ssh=a']\n"
    (project / "conftest.py").write_text(outer, encoding="utf-8")
    assert facts(project)["plain"].startswith("no -n")
    assert facts(project, "--tx=ssh=b")["dist"]["tx"] == ["popen", "ssh=a", "ssh=b"]
    assert facts(project, "--dist=each")["dist"]["tx"] == ["popen", "ssh=a"]
    assert facts(project, "-n3", "--tx=ssh=b")["dist"]["tx"] == ["ssh=b"]
    (project / "conftest.py").write_text(outer + "option_dist = True\n", encoding="utf-8")
    (project / "sub").mkdir()
    (project / "sub" / "conftest.py").write_text("option_tx = 'ssh=c'\noption_dist = 'loadfile'\n", encoding="utf-8")
    dist = facts(project)["dist"]
    assert (dist["mode"], dist["tx"]) == ("load", ["popen", "ssh=a"])
    dist = facts(project, "sub")["dist"]
    assert (dist["mode"], dist["tx"]) == ("loadfile", ["popen", "ssh=a", "ssh=c"])
    assert facts(project, "-n0")["plain"] == "-n 0"
    (project / "conftest.py").write_text("option_tx = 3\noption_dist = True\n", encoding="utf-8")
    assert "option_tx: not a list of texts" in usage_error(project)


def test_what_is_brought_to_other_hosts(project):
    assert "trees" not in facts(project, "-n2", "--rsyncignore=x")
    folder = os.fspath(project)
    (project / "sub" / "inner").mkdir(parents=True)
    (project / "sub" / "test_it.py").write_text("", encoding="utf-8")
    conftest = "rsyncdirs = ['inner', '../other']\nrsyncignore = 'big*'\n"
    (project / "sub" / "conftest.py").write_text(conftest, encoding="utf-8")
    ini = "[pytest]\nrsyncdirs = lib\nrsyncignore = *.csv\nrsyncinclude = gen\n"
    (project / "pytest.ini").write_text(ini, encoding="utf-8")
    node = "sub/test_it.py::test_a[a::b/c]"
    options = ["--rsyncdir=src/../src", "--rsyncignore=*.x", "--rsync-include=*.so", "--rsync-links=copy"]
    trees = facts(project, "-n2", *options, "--no-rsync-gitignore", "-k", "sub", node, "sub", "nowhere")["trees"]
    assert trees["roots"] == [f"{folder}/{name}" for name in ("src", "lib", "sub/inner", "other")]
    assert trees["ignore"] == ["*.x", f"{folder}/*.csv", f"{folder}/sub/big*"]
    assert trees["include"] == ["*.so", f"{folder}/gen"]
    assert (trees["links"], trees["gitignore"], trees["dry_run"]) == ("copy", False, False)
    assert trees["configfile"] == f"{folder}/pytest.ini"
    assert trees["named"] == [f"{folder}/sub/test_it.py", f"{folder}/sub"]
    words = [tuple(word) for word in trees["words"]]
    assert words[-6:-1] == [
        ("-k", "", ""),
        ("sub", "", ""),
        ("", f"{folder}/sub/test_it.py", "::test_a[a::b/c]"),
        ("", f"{folder}/sub", ""),
        ("nowhere", "", ""),
    ]
    (project / "sub" / "conftest.py").write_text("rsyncdirs = 3\n", encoding="utf-8")
    assert "rsyncdirs: not a list of paths" in usage_error(project, "-n2", "sub")


def test_options_with_paths_are_seen_through(project):
    folder = os.fspath(project)
    (project / "a.ini").write_text("[pytest]\n", encoding="utf-8")
    for given, expected in [
        (["-c", "a.ini"], [("-c", "", ""), ("", f"{folder}/a.ini", "")]),
        (["-ca.ini"], [("-c", f"{folder}/a.ini", "")]),
        (["--rootdir=."], [("--rootdir=", folder, "")]),
        (["--ignore", "b"], [("--ignore", "", ""), ("", f"{folder}/b", "")]),
    ]:
        trees = facts(project, "-n2", "--rsyncdir=.", *given)["trees"]
        assert [tuple(word) for word in trees["words"]][4:-1] == expected
        assert trees["named"] == []


def test_absolute_paths_of_any_option_are_seen_through(project):
    folder = os.fspath(project)
    (project / "src").mkdir()
    (project / "other.ini").write_text("[pytest]\n", encoding="utf-8")
    for given, expected in [
        (f"-opythonpath={folder}/src", ("-opythonpath=", f"{folder}/src", "")),
        (f"--doctest-glob={folder}/src/../src", ("--doctest-glob=", f"{folder}/src", "")),
        (f"--doctest-glob={folder}/nothing", ("--doctest-glob=", f"{folder}/nothing", "")),
        ("--doctest-glob=src", ("--doctest-glob=src", "", "")),
    ]:
        assert expected in [tuple(word) for word in facts(project, "-n2", "--rsyncdir=.", given)["trees"]["words"]]
    ini = f"[pytest]\naddopts = -n2 --rsyncdir=. '--ignore={folder}/a b'\n"
    (project / "pytest.ini").write_text(ini, encoding="utf-8")
    trees = facts(project, env={"PYTEST_ADDOPTS": f"-q --confcutdir {folder}"})["trees"]
    assert ["--ignore=", f"{folder}/a b", ""] in [list(word) for word in trees["addopts"]]
    assert [list(word) for word in trees["environment"]] == [["-q", "", ""], ["--confcutdir", "", ""], ["", folder, ""]]
    assert trees["files"] == []


def test_absolute_paths_of_the_configuration_file_are_seen_through(project):
    folder = os.fspath(project)
    (project / "conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.addini('one', 'a path', 'string')\n"
        "    parser.addini('plain', 'no type')\n"
        "    parser.addini('lines', 'lines', 'linelist')\n"
        "    parser.addini('yes', 'truth', 'bool')\n",
        encoding="utf-8",
    )
    (project / "pytest.ini").write_text(
        f"[pytest]\naddopts = -n2 --rsyncdir=.\npythonpath = src '{folder}/a b'\nlog_file = {folder}/x/../run.log\n"
        f"one = rel/{folder}\nplain = {folder}/data\nlines =\n  A=1\n  DATA={folder}/data\nyes = true\n"
        "norecursedirs = build *.egg\n",
        encoding="utf-8",
    )
    trees = facts(project)["trees"]
    assert {name: (written, [list(word) for word in words]) for name, written, words in trees["inis"]} == {
        "pythonpath": ("words", [["src", "", ""], ["", f"{folder}/a b", ""]]),
        "log_file": ("text", [["", f"{folder}/run.log", ""]]),
        "plain": ("text", [["", f"{folder}/data", ""]]),
        "lines": ("lines", [["A=1", "", ""], ["DATA=", f"{folder}/data", ""]]),
    }
    trees = facts(project, "-o", f"log_file={folder}/other.log", "-opythonpath=src", "-oplain=x", "-olines=y")["trees"]
    assert [(name, [list(word) for word in words]) for name, _, words in trees["inis"]] == [
        ("log_file", [["", f"{folder}/other.log", ""]])
    ]


def test_each_run_has_an_id_of_its_own(project):
    first, second = (facts(project, "-n2")["dist"]["testrunuid"] for _ in range(2))
    assert uuid.UUID(first) != uuid.UUID(second)


def test_usage_errors(project):
    assert "incompatible" in usage_error(project, "-n2", "--pdb")
    assert "incompatible" in usage_error(project, "--tx=popen", "--pdb")
    assert "must not be negative" in usage_error(project, "-n=-1")
    assert "not a number" in usage_error(project, "-n2", "--max-worker-restart=many")


def test_places_and_identity(project):
    (project / "sub").mkdir()
    found = facts(project, "--rootdir=.", "-c", "pytest.ini", "sub")
    assert found["rootdir"] == found["invocation_dir"] == str(project)
    assert found["configfile"] == "pytest.ini"
    assert found["args"] == ["sub"]
    assert found["identity_read"] == ["settings.py", 14, "PYTEST_XDIST_WORKER"]
    assert found["terminal"] is True
    assert "junit" not in found


def test_display(project):
    found = facts(project, "-vv", "--tb=short", "-rA", "--durations=5", "--show-capture=log", "-s", "-x")
    display = found["display"]
    assert found["maxfail"] == 1
    assert display["verbosity"] == display["verbosity_test_cases"] == 2
    assert (display["tbstyle"], display["reportchars"], display["durations"]) == ("short", "wPpsxXEf", 5)
    assert (display["showcapture"], display["no_capture"], display["color"]) == ("log", True, "no")
    assert display["durations_min"] == (0.005 if VERSION < (8, 4) else 0.0)
    quiet = facts(project, "-q", "--disable-warnings", "--no-header", "--no-summary", "--durations-min=2")["display"]
    assert (quiet["verbosity"], quiet["reportchars"], quiet["durations_min"]) == (-1, "fE", 2.0)
    assert quiet["disable_warnings"] is quiet["no_header"] is quiet["no_summary"] is True
    assert "durations" not in quiet


def test_live_logging_is_shown_at_once_and_verbosely(project):
    for args in (("--log-cli-level=INFO",), ("-o", "log_cli=true", "-q")):
        display = facts(project, *args)["display"]
        assert (display["live_output"], display["no_capture"]) == (True, False)
        assert display["verbosity"] == display["verbosity_test_cases"] == 1
    for args in ((), ("-o", "log_cli=false"), ("-o", "log_cli=true", "-p", "no:logging")):
        display = facts(project, *args)["display"]
        assert (display["live_output"], display["verbosity"]) == (False, 0)


@pytest.mark.skipif(VERSION < (8, 1), reason="pytest has no verbosity_test_cases")
def test_verbosity_of_test_cases(project):
    display = facts(project, "-o", "verbosity_test_cases=2")["display"]
    assert (display["verbosity"], display["verbosity_test_cases"]) == (0, 2)


def test_junit(project):
    junit = facts(
        project, "--junitxml=$HERE/../out.xml", "--junitprefix=p", "-o", "junit_family=legacy", env={"HERE": "x"}
    )
    expected = {
        "path": str(project / "out.xml"),
        "prefix": "p",
        "suite_name": "pytest",
        "logging": "no",
        "log_passing": True,
        "duration": "total",
        "family": "xunit1",
    }
    found = junit["junit"]
    assert tuple(found.pop("pytest")[:2]) == VERSION
    assert found == expected


def test_without_plugins(project):
    found = facts(project, "-n2", "-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:junitxml", color=None)
    assert found["terminal"] is False
    assert "cache" not in found
    assert "junit" not in found
    assert found["dist"]["numprocesses"] == 2


def test_cache(project):
    values = project / ".pytest_cache" / "v" / "cache"
    assert facts(project, "-n2", "--lf")["cache"] == {
        "dir": str(project / ".pytest_cache"),
        "lf": True,
        "stepwise": False,
        "pytest": facts(project)["cache"]["pytest"],
        "lastfailed": [],
    }
    values.mkdir(parents=True, exist_ok=True)
    (values / "lastfailed").write_text(json.dumps({"test_a.py::test_b": True}), encoding="utf-8")
    ran = inner.run(project, "--sw", facts=True)
    assert ran.data["facts"]["cache"]["lastfailed"] == ["test_a.py::test_b"]
    assert ran.data["facts"]["cache"]["stepwise"] is True
    # Known before configure or asked after it: the same.
    assert ran.data["facts_cache"] == ran.data["facts"]["cache"]
    assert facts(project, "--cache-clear")["cache"]["lastfailed"] == []
    assert "lastfailed" not in facts(project, "-p", "no:lfplugin")["cache"]


def test_facts_leave_the_cache_alone(project):
    made = inner.run(project, "-p", "no:stepwise", "--help", facts=True, check=False)
    assert made.data["facts"]["cache"]
    assert not (project / ".pytest_cache").exists()


def test_plugin_modules(project):
    lib = project.parent / f"{project.name}-lib"
    lib.mkdir()
    (lib / "outside_plugin.py").write_text("", encoding="utf-8")
    (project / "inside_plugin.py").write_text("", encoding="utf-8")
    (project / "conftest.py").write_text("pytest_plugins = ['inside_plugin']\n", encoding="utf-8")
    found = inner.run(project, "-p", "outside_plugin", facts=True, extra_path=[str(lib), str(project)])
    assert found.data["facts"]["plugin_modules"] == ["feed", "outside_plugin"]
