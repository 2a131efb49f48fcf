"""The programs that bring a tree from one directory to another, each with its receiver in a process of its own behind
`relay`, which delays and counts what passes.

What is timed: of rsync and of `tar` the whole run; of execnet its `RSync` alone, in a gateway that is there; of ours
from the start of the program to the moment at which it knows that the tree stands. Bytes are those of both directions,
without those of execnet's gateway. CPU time is that of all processes, relay and interpreters included.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

from setting import BenchError, Setting, example

HERE = Path(__file__).resolve().parent
LIMIT = 600.0
COUNTED = re.compile(r"to (\d+), from (\d+)")
STANDS = re.compile(r"sender: .*stands after ([\d.]+) s")
PEAK = re.compile(r"(sender|receiver): at most (\d+) KiB")


class Taken(NamedTuple):
    """What one synchronisation took."""

    seconds: float
    sent: int
    cpu: float


@dataclass
class Tools:
    """Programs, where their copies go, and the tree."""

    setting: Setting
    base: Path
    source: Path
    gateway: Optional[int] = None
    """Bytes of a gateway of execnet that does nothing, once they are known."""

    def to(self, tool: str) -> Path:
        """The tool's copy."""
        return self.base / f"to-{tool}"

    def example(self, name: str) -> Path:
        """A program of rsync-rs."""
        return example(self.setting, "rsync-rs", name)

    def forget(self) -> None:
        """Remove all copies, and what is remembered."""
        for path in [*self.base.glob("to-*"), self.base / "state"]:
            shutil.rmtree(path, ignore_errors=True)

    def relay(self, rtt_ms: int, *flags: str) -> List[str]:
        """What stands before a command at the other end."""
        return [str(self.example("relay")), *flags, str(rtt_ms / 2), str(self.base / "counts")]

    def ours(self, rtt_ms: int) -> Taken:
        """This project's."""
        through = ["--through", " ".join(self.relay(rtt_ms))]
        where = ["--state", str(self.base / "state"), str(self.source), str(self.to("ours"))]
        taken, _, errors = self._run([str(self.example("sync")), "--all", "--stats", *through, *where])
        return taken._replace(seconds=float(found(STANDS, errors)[1]))

    def rsync(self, rtt_ms: int) -> Taken:
        """rsync as over ssh: without whole files."""
        words = ["rsync", "-a", "--delete", "-e", " ".join(self.relay(rtt_ms, "--shell"))]
        return self._run([*words, f"{self.source}/", f"there:{self.to('rsync')}/"])[0]

    def execnet(self, rtt_ms: int) -> Taken:
        """What pytest-xdist uses."""
        python = str(self.setting.python("bench-bare"))
        command = [python, str(HERE / "trees_execnet.py"), " ".join([*self.relay(rtt_ms), python])]
        if self.gateway is None:
            self.gateway = self._run(command)[0].sent
        taken, output, _ = self._run([*command, str(self.source), str(self.to("execnet"))])
        return taken._replace(seconds=float(output), sent=taken.sent - self.gateway)

    def tar(self, rtt_ms: int) -> Taken:
        """The floor: no comparison, no decision."""
        copy = self.to("tar")
        copy.mkdir(parents=True, exist_ok=True)
        there = " ".join([*self.relay(rtt_ms), "sh", "-c", f"'zstd -dcq | tar -C {copy} -xf -'"])
        return self._run(["sh", "-c", f"tar -C {self.source} -cf - . | zstd -1cq | {there}"])[0]

    def _run(self, command: List[str]) -> Tuple[Taken, str, str]:
        counts = self.base / "counts"
        counts.unlink(missing_ok=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
        seconds = time.perf_counter() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise BenchError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        numbers = found(COUNTED, counts.read_text())
        return Taken(seconds, int(numbers[1]) + int(numbers[2]), cpu), done.stdout, done.stderr

    def peaks(self) -> Dict[str, int]:
        """The most memory of each end while a copy is made, KiB."""
        words = ["--all", "--stats", "--state", str(self.base / "state"), str(self.source), str(self.to("ours"))]
        done = subprocess.run([str(self.example("sync")), *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"`sync {' '.join(words)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return {end: int(peak) for end, peak in PEAK.findall(done.stderr)}


def found(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    """What the pattern finds."""
    match = pattern.search(text)
    if match is None:
        raise BenchError(f"`{pattern.pattern}` is not in: {text}")
    return match


def differences(one: Path, other: Path) -> str:
    """What rsync finds different in two trees."""
    command = ["rsync", "-acniO", "--delete", f"{one}/", f"{other}/"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
