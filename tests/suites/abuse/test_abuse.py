"""Tests that abuse their process in ways that reach xdist's worker; `ENDS` says which cannot survive it."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import threading

import pytest

OWN = range(201, 260)


def own_descriptors():
    """The descriptors of the worker itself that are open."""
    for number in OWN:
        try:
            os.fstat(number)
        except OSError:
            continue
        yield number


def test_closes_every_descriptor():
    os.closerange(200, 1000)


def test_replaces_descriptors():
    null = os.open(os.devnull, os.O_RDWR)
    for number in own_descriptors():
        os.dup2(null, number)


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x05hello",
        b"\x00\x01\x00\x00",
        b"\x00",
        b"\x00\x00",
        b"\x00\x10\x00\x00\x81\xa6passed\x94",
    ],
    ids=["huge", "no-message", "promise", "one-byte", "two-bytes", "likeness"],
)
def test_writes_to_descriptors(rubbish):
    for number in own_descriptors():
        os.write(number, rubbish)


def test_runs_another_program():
    os.execv("/bin/sh", ["sh", "-c", "exit 0"])


def test_runs_a_long_program():
    os.execv("/bin/sleep", ["sleep", "300"])


def test_signals_its_group():
    os.kill(0, signal.SIGTERM)
    signal.pause()


def test_uses_up_its_time():
    resource.setrlimit(resource.RLIMIT_CPU, (1, 5))
    while True:
        pass


def test_forks_and_both_return():
    os.fork()


def test_forks_and_the_child_fails():
    if os.fork() == 0:
        raise AssertionError("in the child only")


def test_changes_its_group():
    os.setpgrp()
    try:
        os.setsid()
    except PermissionError:
        pass


def test_blocks_signals():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))


def test_removes_its_directory():
    place = tempfile.mkdtemp()
    os.chdir(place)
    os.rmdir(place)


@pytest.fixture
def exits():
    yield
    sys.exit(3)


def test_exits_in_a_finalizer(exits):
    pass


def test_prints_without_end():
    for _ in range(30):
        os.write(1, b"x" * 1_000_000)


def test_leaves_a_printing_thread():
    def say():
        while True:
            print("noise")

    threading.Thread(target=say, daemon=True).start()


@pytest.mark.parametrize("number", range(10))
def test_after(number):
    pass
