"""What /proc tells of the processes of a run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Dict, List

MARK = "XDIST_BENCH_MARK"
TICK = os.sysconf("SC_CLK_TCK")


def marked(value: str) -> List[int]:
    """Ids of the living processes that started with this mark in their environment."""
    found = []
    wanted = f"{MARK}={value}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def pss_kib(pids: List[int]) -> Dict[int, int]:
    """Proportional set size of each process, KiB."""
    sizes = {}
    for pid in pids:
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
        if match:
            sizes[pid] = int(match.group(1))
    return sizes


def own_cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads, without its children; a zombie still tells it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK
