"""Tests that do what tests should not do to their process; those after them must not notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest


def reap(child):
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        pass  # where another test had SIGCHLD ignored


@pytest.mark.parametrize("number", range(4))
def test_writes_to_descriptors(number):
    os.write(1, b"\x00\xff\x93junk\x1b[31m on 1\n" * 50)
    os.write(2, b"\xfe\xc3(\r\nbroken utf-8 on 2\n" * 50)


@pytest.mark.parametrize("number", range(4))
def test_looks_like_frames(number):
    os.write(1, b"\x00\x00\x00\x05\x81\xa3run\x90" * 20)
    os.write(2, b"\x00\x00\x00\x01\xc0" * 20)


def test_changes_directory(tmp_path):
    os.chdir(tmp_path)


def test_changes_environment(tmp_path):
    os.environ.clear()
    os.environ["PATH"] = "/nowhere"


def test_changes_signal_handlers():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)


def test_changes_standard_files():
    sys.stdout = sys.stderr = None


def test_changes_clocks(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "perf_counter", lambda: 0.0)


def test_forks_and_both_return():
    child = os.fork()
    if child:
        reap(child)


def test_forks_and_child_fails():
    child = os.fork()
    if not child:
        raise AssertionError("in the child only")
    reap(child)


def test_leaves_a_child_that_holds_stdout():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def test_huge_recursion():
    def recurse(depth):
        return recurse(depth + 1)

    with pytest.raises(RecursionError):
        recurse(0)


@pytest.mark.parametrize("number", range(20))
def test_after(number):
    assert 1 + 1 == 2
