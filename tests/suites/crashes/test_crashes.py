"""Tests that take their process down, between tests that must survive it."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys

import pytest


def kill(name):
    if name.startswith("exit"):
        os._exit(int(name[len("exit") :]))
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL) if name not in ("SIGKILL", "SIGSTOP") else None
    os.kill(os.getpid(), number)
    signal.pause()


@pytest.mark.parametrize("number", range(10))
def test_before(number):
    pass


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "exit0", "exit3"])
def test_in_call(how):
    print("last words on fd 1 from", how)
    kill(how)


@pytest.fixture
def deadly_setup(request):
    kill(request.param)


@pytest.mark.parametrize("deadly_setup", ["SIGKILL", "exit0", "exit3"], indirect=True)
def test_in_setup(deadly_setup):
    pass


@pytest.fixture
def deadly_teardown(request):
    yield
    kill(request.param)


@pytest.mark.parametrize("deadly_teardown", ["SIGKILL", "exit0", "exit3"], indirect=True)
def test_in_teardown(deadly_teardown):
    pass


def test_segfault():
    faulthandler._sigsegv()


def test_abort():
    os.abort()


@pytest.fixture
def deadly_finalizer(request):
    request.addfinalizer(os.abort)


def test_in_finalizer_after_failure(deadly_finalizer):
    raise AssertionError("failed before the crash")


def test_exit_with_output():
    os.write(2, b"written to fd 2 before the end\n")
    sys.stderr.flush()
    os._exit(7)


@pytest.mark.parametrize("number", range(10))
def test_after(number):
    pass
