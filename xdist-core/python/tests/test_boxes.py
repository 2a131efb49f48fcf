"""Parts of boxes by themselves: what a box says, its limits, how it ended, what it left."""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import subprocess
import sys

import pytest

from xdist_worker.boxes import forks, limits
from xdist_worker.boxes.channel import END, FRAME, REPORT, Channel
from xdist_worker.boxes.leftovers import Orphans
from xdist_worker.evidence.processes import _command


def in_child(function):
    """Run `function` in a child; returns its status."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = function() or 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1]


class TestChannel:
    def test_what_a_box_says_arrives_in_order(self, tmp_path):
        channel = Channel(str(tmp_path))
        channel.clear()

        def box():
            channel.open()
            channel.phase(2)
            channel.put(REPORT, b"one")
            channel.put(FRAME, b"")
            channel.put(END, b"x" * 70_000)
            channel.finish()

        assert in_child(box) == 0
        assert channel.finished() and channel.passed() is None and channel.phase_reached() == 2
        assert channel.take() == [(REPORT, b"one"), (FRAME, b""), (END, b"x" * 70_000)]
        channel.clear()
        assert channel.take() == [] and not channel.finished() and channel.phase_reached() == 0

    def test_what_is_too_long_goes_through_a_file_that_is_removed(self, tmp_path):
        channel = Channel(str(tmp_path))
        for _ in range(2):
            channel.clear()

            def box():
                channel.open()
                channel.put(REPORT, b"before")
                channel.put(REPORT, b"y" * 3_000_000)
                channel.put(FRAME, b"after")

            assert in_child(box) == 0
            assert channel.take() == [(REPORT, b"before"), (REPORT, b"y" * 3_000_000), (FRAME, b"after")]
            assert not channel.finished() and os.listdir(tmp_path) == []

    def test_a_plain_pass_is_three_numbers(self, tmp_path):
        channel = Channel(str(tmp_path))
        channel.clear()

        def box():
            channel.open()
            channel.finish_passed(0.5, 1.5, 2.5)

        assert in_child(box) == 0
        assert channel.finished() and channel.passed() == (0.5, 1.5, 2.5) and channel.take() == []

    def test_a_child_of_a_box_does_not_speak_for_it(self, tmp_path):
        channel = Channel(str(tmp_path))
        channel.clear()

        def box():
            channel.open()

            def child():
                channel.put(REPORT, b"of the child")
                return 7

            return 0 if os.WEXITSTATUS(in_child(child)) == 1 else 1

        assert in_child(box) == 0
        assert channel.take() == []


class TestLimits:
    @pytest.mark.parametrize(("text", "value"), [("5", 5), ("0.5", 0.5), ("2m", 120), ("1h", 3600), ("3S", 3)])
    def test_times(self, text, value):
        amount = limits.seconds(text)
        assert amount == value and amount.text == text

    @pytest.mark.parametrize(
        ("text", "value"), [("4096", 4096), ("500M", 500 << 20), ("2g", 2 << 30), ("1.5KiB", 1536), ("7kb", 7168)]
    )
    def test_sizes(self, text, value):
        assert limits.size(text) == value

    @pytest.mark.parametrize("text", ["", "0", "-1", "m", "5x", "nan", "inf", "1 2"])
    def test_what_is_none(self, text):
        for parse in (limits.seconds, limits.size):
            with pytest.raises(argparse.ArgumentTypeError):
                parse(text)

    def test_which_limit_a_box_was_over(self):
        given = argparse.Namespace(
            box_timeout=limits.seconds("5"), box_cpu=limits.seconds("2"), box_memory=limits.size("1M")
        )
        found = limits.Limits(given)
        assert found.over(True, signal.SIGABRT, 0.0) == "over --box-timeout 5"
        assert found.over(False, signal.SIGXCPU, 0.0) == "over --box-cpu 2"
        assert found.over(False, signal.SIGKILL, 3.0) == "over --box-cpu 2"
        assert found.over(False, signal.SIGKILL, 1.0) == ""
        assert "may have been met" in found.over(False, signal.SIGSEGV, 0.0)
        assert limits.Limits(argparse.Namespace()).over(False, signal.SIGSEGV, 9.0) == ""

    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA is Linux's")
    def test_memory_is_counted_from_what_there_is_and_can_be_had_again(self):
        found = limits.Limits(argparse.Namespace(box_memory=limits.size("50M")))

        def box():
            found.apply()
            bytearray(20 << 20)
            try:
                bytearray(200 << 20)
            except MemoryError as error:
                assert found.over_memory(error) == "over --box-memory 50M"
            else:
                return 1
            found.lift()
            bytearray(200 << 20)
            return 0

        assert in_child(box) == 0
        assert found.over_memory(MemoryError()) == "", "no limit in the worker"


class TestEnds:
    def ending(self, child, timeout=None):
        pid = forks.fork_box()
        if pid == 0:
            try:
                faulthandler.disable()
                child()
            finally:
                os._exit(98)
        return forks.wait_for(pid, timeout, True)

    def test_each_has_its_words(self):
        assert self.ending(lambda: os._exit(0)).text() == "exit code 0"
        assert self.ending(lambda: os._exit(3)).text() == "exit code 3"
        killed = self.ending(lambda: os.kill(os.getpid(), signal.SIGKILL))
        assert killed.text() == "signal 9 (SIGKILL)" and killed.signal() == signal.SIGKILL and not killed.timed_out

    @pytest.mark.parametrize("polls", [False, True])
    def test_a_box_that_takes_too_long(self, monkeypatch, polls):
        if polls:
            monkeypatch.delattr(os, "pidfd_open", raising=False)
        assert self.ending(signal.pause, 0.05).timed_out
        assert self.ending(lambda: os._exit(4), 30).text() == "exit code 4"

    def test_one_that_the_system_refuses(self):
        assert forks.refused(OSError(11, "Resource temporarily unavailable")).text() == (
            "no process for it (Resource temporarily unavailable)"
        )

    def test_where_nobody_keeps_the_end(self):
        former = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            assert self.ending(lambda: os._exit(0)).text() == "an end that the system did not keep"
        finally:
            signal.signal(signal.SIGCHLD, former)


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="the system does not tell of children")
def test_what_is_left_is_killed_and_what_was_there_before_stays():
    own = subprocess.Popen(["sleep", "60"])
    orphans = Orphans(always=False)
    try:
        orphans.expect()

        def box():
            source, sink = os.pipe()
            if os.fork() == 0:
                os.setsid()
                os.execvp("sleep", ["sleep", "61"])
            # At its end once the other process is another program.
            os.close(sink)
            os.read(source, 1)
            subprocess.Popen(["true"]).wait()

        assert in_child(box) == 0
        (name,) = orphans.end()
        assert name.startswith("sleep 61 (process ")
        assert own.poll() is None
        orphans.expect()
        assert orphans.end() == []
    finally:
        own.kill()
        own.wait()


@pytest.mark.skipif(not os.path.exists("/proc/self/comm"), reason="only Linux tells")
def test_a_process_without_a_command_line_has_a_name():
    # As one that is just becoming another program.
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as child:
        # Once its descriptors are closed it has no memory.
        assert child.stdout.read() == b""
        assert _command(child.pid) == "true"
