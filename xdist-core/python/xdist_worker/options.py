"""The command line options and ini keys of pytest-xdist, under its names, and those of this program.

They are registered in pytest's own parser, so that `addopts`, `PYTEST_ADDOPTS` and ini files may contain them.
"""

from __future__ import annotations

import argparse
import os
import warnings
from typing import Any, Dict, Optional, Union

from .boxes.limits import seconds, size

MODES = ("auto", "each", "load", "loadscope", "loadfile", "loadgroup", "worksteal", "no")
FORK_LEVELS = ("collected", "imported", "never")


class ResolvedCount(int):
    """A number of workers that stands for `auto` or `logical`, which is kept as `auto`."""

    auto: str

    @classmethod
    def of(cls, count: int, word: str) -> ResolvedCount:
        """`count`, remembering that the user typed `word`."""
        made = cls(count)
        made.auto = word
        return made


def parse_numprocesses(text: str) -> Union[int, str]:
    """The argument of `-n`."""
    if text in ("auto", "logical"):
        return text
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor 'auto' or 'logical'") from None


def add_options(parser: Any) -> None:
    """Register options and ini keys."""
    group = parser.getgroup("xdist", "distributed and subprocess testing")
    group._addoption(
        "-n",
        "--numprocesses",
        dest="numprocesses",
        metavar="numprocesses",
        action="store",
        type=parse_numprocesses,
        help="Run tests on this many workers; 'auto' for the machine's physical, 'logical' for its logical CPUs. "
        "0: run them in this process.",
    )
    group.addoption(
        "--maxprocesses",
        dest="maxprocesses",
        metavar="maxprocesses",
        action="store",
        type=int,
        help="Never more workers than this.",
    )
    group.addoption(
        "--max-worker-restart",
        dest="maxworkerrestart",
        metavar="COUNT",
        action="store",
        default=None,
        help="How many workers that died may be replaced; 0: none.",
    )
    group.addoption(
        "--dist",
        dest="dist",
        metavar="distmode",
        action="store",
        choices=list(MODES),
        default="no",
        help="How tests are handed out: 'load' and 'worksteal' one by one to whoever is free, 'loadscope' by class or "
        "module, 'loadfile' by file, 'loadgroup' by the mark xdist_group, 'auto' by that mark or one by one; 'each' "
        "has every worker run all of them; 'no' does not distribute.",
    )
    group._addoption("-d", dest="distload", action="store_true", default=False, help="Short for '--dist=load'.")
    group.addoption(
        "--tx",
        dest="tx",
        metavar="xspec",
        action="append",
        default=[],
        help="Add a test execution environment, such as popen//python=python3.12, ssh=host or socket=host:port.",
    )
    group.addoption(
        "--px",
        dest="px",
        metavar="xspec",
        action="append",
        default=[],
        help="Add a proxy that '--tx' refers to by via=.",
    )
    group.addoption(
        "--loadscope-reorder",
        dest="loadscopereorder",
        action="store_true",
        default=True,
        help="Hand out scopes, files and groups with many tests first (default).",
    )
    group.addoption(
        "--no-loadscope-reorder",
        dest="loadscopereorder",
        action="store_false",
        help="Hand out scopes, files and groups in the order of collection.",
    )
    group.addoption(
        "--maxschedchunk",
        dest="maxschedchunk",
        metavar="COUNT",
        action="store",
        type=int,
        help="At most this many tests in one batch.",
    )
    group.addoption(
        "--strict-collection",
        dest="strictcollection",
        action="store_true",
        default=False,
        help="It is an error if environments or workers collect different tests.",
    )
    group.addoption(
        "--testrunuid", dest="testrunuid", action="store", help="Id of this run, shared by all workers; default random."
    )
    group.addoption(
        "--rsyncdir",
        dest="rsyncdir",
        metavar="DIR",
        action="append",
        default=[],
        help="Copy this directory to remote environments.",
    )
    group.addoption(
        "--rsyncignore",
        dest="rsyncignore",
        metavar="GLOB",
        action="append",
        default=[],
        help="Do not copy what matches this pattern.",
    )
    group.addoption(
        "--rsync-include",
        dest="rsyncinclude",
        metavar="GLOB",
        action="append",
        default=[],
        help="Copy what matches this pattern, whatever else leaves it out.",
    )
    group.addoption(
        "--rsync-links",
        dest="rsynclinks",
        choices=("refuse", "skip", "keep", "copy"),
        default="refuse",
        help="What to do with symbolic links that lead out of what is copied: 'refuse' to run, 'skip' them, 'keep' "
        "them as they are, 'copy' what they lead to.",
    )
    group.addoption(
        "--no-rsync-gitignore",
        dest="rsyncgitignore",
        action="store_false",
        default=True,
        help="Copy also what .gitignore files leave out.",
    )
    group.addoption(
        "--rsync-dry-run",
        dest="rsyncdryrun",
        action="store_true",
        default=False,
        help="Show what would be copied where, and what would not, and run nothing.",
    )
    group._addoption(
        "-f",
        "--looponfail",
        dest="looponfail",
        action="store_true",
        default=False,
        help="Run again, failed tests first, whenever a file changes.",
    )
    _add_box_options(parser.getgroup("boxes", "tests in processes of their own"))
    parser.addini("rsyncdirs", "directories to copy to remote environments", type="paths")
    parser.addini("rsyncignore", "patterns of what not to copy to remote environments", type="paths")
    parser.addini("rsyncinclude", "patterns of what to copy whatever else leaves it out", type="paths")
    parser.addini("looponfailroots", "directories in which '-f' looks for changes", type="paths")
    parser.addini("xdist_fork", "how workers are started: " + ", ".join(FORK_LEVELS), default="")
    parser.addini("xdist_slow_after", "seconds after which a running test is named; 0: never", default="")


def _add_box_options(group: Any) -> None:
    group.addoption(
        "--boxed",
        "--forked",
        dest="boxed",
        action="store_true",
        default=False,
        help="Run each test in a process of its own, forked from its worker once its wider fixtures stand; without -n "
        "on one worker. The mark 'forked' does so for single tests.",
    )
    group.addoption(
        "--box-timeout",
        dest="box_timeout",
        metavar="SECONDS",
        type=seconds,
        default=None,
        help="End a box that takes longer than this, its own fixtures included.",
    )
    group.addoption(
        "--box-cpu",
        dest="box_cpu",
        metavar="SECONDS",
        type=seconds,
        default=None,
        help="End a box that uses more processor time than this, in whole seconds.",
    )
    group.addoption(
        "--box-memory",
        dest="box_memory",
        metavar="SIZE",
        type=size,
        default=None,
        help="What a box may have of memory beyond what its worker has, such as 500M or 2G.",
    )


def resolve_numprocesses(config: Any) -> None:
    """Ask hooks and environment how many workers `-n auto` is; left as a word if nobody says."""
    option = config.option
    word = getattr(option, "numprocesses", None)
    if not isinstance(word, str):
        return
    count = config.hook.pytest_xdist_auto_num_workers(config=config)
    if count is None:
        count = _from_environment()
    if count is not None:
        option.numprocesses = ResolvedCount.of(int(count), word)


def _from_environment() -> Optional[int]:
    text = os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS")
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        warnings.warn(f"PYTEST_XDIST_AUTO_NUM_WORKERS is not a number: {text!r}. Ignoring it.", stacklevel=2)
        return None


def settle_plain(config: Any) -> None:
    """Leave the options as a run without workers has them."""
    option = config.option
    option.dist, option.tx, option.distload = "no", [], False
    if option.numprocesses is not None:
        option.numprocesses = 0


def settle_controller(config: Any, setup: Dict[str, Any]) -> None:
    """Leave the options as pytest-xdist's controller has them."""
    option = config.option
    option.dist, option.tx, option.distload = setup["mode"], list(setup["specs"]), False
    option.numprocesses = len(setup["specs"])
