"""Synchronising trees: rsync-rs beside rsync and execnet's RSync, on a file system in memory and on the disk.

All programs run in turn after each change, so that what else the machine does meets all of them; figures are medians.
`trees_tools` says what is timed and counted, `trees_cases` what changes. Files rest for a moment before each run: what
changed within the last tick of the clock is hashed again by ours, and in use files seldom are that young.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, Iterator, List

import trees_cases
from processes import own_cpu_seconds
from setting import BenchError, Row, Setting, median
from trees_cases import CASES, Case
from trees_tools import Taken, Tools, differences

MEMORY = Path("/dev/shm")
REST = 0.1
HOSTS = 8
LARGE_MB = 512
MIB = 1024


def rows(setting: Setting) -> Iterator[Row]:
    """Everything, first in memory."""
    missing = [program for program in ("rsync", "tar", "zstd") if shutil.which(program) is None]
    if missing:
        raise BenchError(f"there is no `{missing[0]}`\nhint: apt-get install {' '.join(missing)}")
    for place, above in (("memory", MEMORY), ("disk", setting.scratch)):
        with tempfile.TemporaryDirectory(prefix="xdist-trees-", dir=above) as base:
            tools = Tools(setting, Path(base), Path(base, "source"))
            trees_cases.make_tree(tools.source)
            yield first_copy(tools, place)
            for case in CASES:
                yield changed(tools, place, case)
            for tool in ("ours", "rsync"):
                different = differences(tools.source, tools.to(tool))
                if different:
                    raise BenchError(f"the copy of {tool} differs:\n{different}")
            if place == "memory":
                yield many_hosts(tools)
                yield large_file(tools)
    yield from library(setting)


def alternate(tools: Tools, names: List[str], case: Case, copies: bool = False) -> Dict[str, List[Taken]]:
    """Run the tools in turn after each change; once more than counts, but for copies."""
    taken: Dict[str, List[Taken]] = {name: [] for name in names}
    for number in range(tools.setting.rounds(5) + (not copies)):
        if copies:
            tools.forget()
        case.change(tools.source, number)
        time.sleep(REST)
        for name in names if number % 2 else reversed(names):
            if copies:
                os.sync()
            one = getattr(tools, name)(case.rtt_ms)
            if copies or number:
                taken[name].append(one)
    for name, all_of_it in taken.items():
        shown = ", ".join(f"{one.seconds:.3f} s {one.sent} B {one.cpu:.3f} s CPU" for one in all_of_it)
        print(f"{tools.base.parent}, {case.work}, {case.rtt_ms} ms, {name}: {shown}", file=sys.stderr, flush=True)
    return taken


def middle(all_of_it: List[Taken]) -> Taken:
    """The median of each."""
    return Taken(*(median(list(column)) for column in zip(*all_of_it)))


def changed(tools: Tools, place: str, case: Case) -> Row:
    """One case."""
    taken = alternate(tools, ["rsync", "execnet", "ours"], case)
    ours = middle(taken["ours"])
    met = ours.seconds <= case.seconds and ours.sent <= case.sent
    target = f"<= {case.seconds:.2f} s, {size(case.sent)}"
    return Row(f"sync, {case.work}, RTT {case.rtt_ms} ms", place, target, beside(taken), met)


def first_copy(tools: Tools, place: str) -> Row:
    """An empty destination, and nothing remembered."""
    case = Case("first copy", trees_cases.nothing, 0, 0, 0)
    taken = alternate(tools, ["rsync", "execnet", "tar", "ours"], case, copies=True)
    ours, tar = middle(taken["ours"]), middle(taken["tar"])
    longer, more = ours.seconds / tar.seconds, ours.sent / tar.sent
    figure = f"{longer:.2f} x, {more:.3f} x: {beside(taken)}"
    target = "<= 1.15 x tar's time, 1.05 x its bytes"
    return Row("sync, first copy, RTT 0 ms", place, target, figure, longer <= 1.15 and more <= 1.05)


def beside(taken: Dict[str, List[Taken]]) -> str:
    """Ours and the others."""
    parts = []
    for name in ["ours", *(name for name in taken if name != "ours")]:
        one = middle(taken[name])
        who = "" if name == "ours" else f"{name} "
        parts.append(f"{who}{one.seconds:.3f} s, {size(one.sent)}, CPU {one.cpu:.2f} s")
    return "; ".join(parts)


def size(count: float) -> str:
    """Bytes for people."""
    if count < 1e5:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.2f} MB"


def many_hosts(tools: Tools) -> Row:
    """CPU time of the sending process alone, for one receiver and for many, each a first copy."""
    seconds: Dict[int, List[float]] = {1: [], HOSTS: []}
    for _ in range(tools.setting.rounds(5)):
        for hosts, times in seconds.items():
            tools.forget()
            copies = [str(tools.to(f"ours{number}")) for number in range(hosts)]
            command = [str(tools.example("sync")), "--all", "--state", str(tools.base / "state"), str(tools.source)]
            with subprocess.Popen([*command, *copies], stdout=subprocess.DEVNULL) as run:
                os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)
                times.append(own_cpu_seconds(run.pid))
                if run.wait() != 0:
                    raise BenchError(f"`{' '.join(command)}` ended with {run.returncode}")
    one, many = median(seconds[1]), median(seconds[HOSTS])
    tools.forget()
    figure = f"{many / one:.2f} x ({one:.2f} s, {many:.2f} s)"
    return Row(f"sync, {HOSTS} hosts, sender's CPU", "memory", "<= 1.5 x one host's", figure, many <= 1.5 * one)


def large_file(tools: Tools) -> Row:
    """Memory while a file travels that is larger than what may be used, and the tree with it."""
    large = tools.source / "large.bin"
    with large.open("wb") as file:
        for _ in range(LARGE_MB):
            file.write(os.urandom(1 << 20))
    tools.forget()
    row = memory(tools, f"sync, memory, a file of {LARGE_MB} MiB", "memory")
    large.unlink()
    return row


def memory(tools: Tools, work: str, place: str) -> Row:
    """The most memory that either end has during a first copy."""
    files = sum(len(names) for _, _, names in os.walk(tools.source))
    limit = 64 * MIB + files * 200 // 1024
    peaks = tools.peaks()
    figure = ", ".join(f"{end} {peak / MIB:.0f} MiB" for end, peak in sorted(peaks.items(), reverse=True))
    met = len(peaks) == 2 and max(peaks.values()) <= limit
    return Row(f"{work}, {files} files", place, f"<= 64 MiB + 200 B a file = {limit / MIB:.0f} MiB", figure, met)


def library(setting: Setting) -> Iterator[Row]:
    """The library of the interpreter, with all that is installed there."""
    code = "import sysconfig; print(sysconfig.get_paths()['stdlib'])"
    python = [str(setting.python("bench-bare")), "-c", code]
    path = Path(subprocess.run(python, check=True, capture_output=True, text=True).stdout.strip())
    with tempfile.TemporaryDirectory(prefix="xdist-trees-", dir=setting.scratch) as base:
        tools = Tools(setting, Path(base), path)
        case = Case("no-op", trees_cases.nothing, 0, 0.25, 1_000)
        row = memory(tools, "sync, memory, the interpreter's library", "disk")
        taken = alternate(tools, ["rsync", "execnet", "ours"], case)
        ours = middle(taken["ours"])
        work = row.work.replace("memory, ", "no-op, ")
        yield Row(work, "disk", "<= 0.25 s", beside(taken), ours.seconds <= 0.25)
        yield row
