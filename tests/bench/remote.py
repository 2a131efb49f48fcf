"""Other hosts: how soon one is there, and what a run on one costs. All of them are this machine.

Agent ready: from the first byte of the connection to an agent that has greeted (`socket=`) or described its host
(`ssh=`), medians, by `examples/speed.rs` of socketserver and `examples/ssh.rs` of execnet-rs, which are built for it.
What the system's ssh takes is the time of `ssh HOST true`.

Runs: eight workers on one host by ssh, against pytest-xdist with as many connections to the same sshd; and four workers
behind a relay that keeps everything for 25 ms in each direction, against a local run.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import Dict, Iterator, List

import distant
import suites
from setting import BenchError, Row, Setting, example, failed, median
from timing import alternate

ENV = "bench-bare"
ROUND_TRIP_MS = 50
UNITS = {"ns": 1e-6, "µs": 1e-3, "us": 1e-3, "ms": 1.0, "s": 1e3}


def rows(setting: Setting) -> Iterator[Row]:
    """All of them; one that cannot be had does not cost the others."""
    for work in (by_ssh, by_socket, eight_workers, far_away):
        try:
            yield from work(setting)
        except (BenchError, OSError, subprocess.SubprocessError) as error:
            yield failed(work.__name__.replace("_", " "), ENV, BenchError(str(error)))


def by_ssh(setting: Setting) -> Iterator[Row]:
    """A host by each of the clients, and what the system's ssh takes for nothing."""
    program = example(setting, "execnet-rs", "ssh", "--features", "ssh2")
    times = str(setting.rounds(21))
    with distant.sshd(setting) as host:
        plain: List[float] = []
        for number in range(setting.rounds(21) + 1):
            begin = time.perf_counter()
            command = ["ssh", "-F", str(host.config), "-o", "BatchMode=yes", "box", "true"]
            subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
            if number:
                plain.append((time.perf_counter() - begin) * 1000)
        ready: Dict[str, float] = {}
        for client in ("ssh2", "openssh"):
            said = output([str(program), host.spec(f"ssh_client={client}"), times], host.environment)
            ready[client] = milliseconds(r"then ([\d.]+)(\w+)", said)
    own, ssh = ready["ssh2"], median(plain)
    yield Row("ssh host to agent ready, in process", "", "<= 60 ms", f"{own:.0f} ms", own <= 60)
    figure = f"{ready['openssh']:.0f} ms (`ssh box true`: {ssh:.0f} ms)"
    met = ready["openssh"] <= ssh + 30
    yield Row("ssh host to agent ready, by the program", "", "<= system ssh + 30 ms", figure, met)


def by_socket(setting: Setting) -> Iterator[Row]:
    """A `socketserver` on the loopback device, and how fast what is encrypted travels."""
    program = example(setting, "socketserver", "speed")
    said = output([str(program), "200" if setting.quick else "2000"], dict(os.environ))
    ready = milliseconds(r"agent ready, median of \d+: ([\d.]+)(\S+?);", said)
    yield Row("socket host to agent ready", "", "<= 10 ms", f"{ready:.1f} ms", ready <= 10)
    found = re.search(r"bulk: (\d+) MB/s", said)
    if not found:
        raise BenchError(f"no throughput in {said!r}")
    speed = int(found.group(1))
    yield Row("encrypted bulk, one core each side", "", ">= 500 MB/s", f"{speed} MB/s", speed >= 500)


def eight_workers(setting: Setting) -> Iterator[Row]:
    """trivial1k on one host that is reached by ssh."""
    suite, python = setting.suite("trivial1k"), setting.python(ENV)
    with distant.sshd(setting_of(setting, "eight")) as host:
        spec = host.spec(f"python={python}", f"chdir={suite}")
        peer = f"ssh=-F {host.config} box//python={python}//chdir={suite}"
        programs = {
            "xdist": [str(setting.binary), "--python", str(python), "--tx", f"8*{spec}"],
            "pytest-xdist": [*setting.plain(ENV), "--dist=load", "--tx", f"8*{peer}"],
        }
        times = alternate(programs, suite, setting.rounds(5), suites.count("trivial1k"), host.environment)
    own, others = median(times["xdist"]), median(times["pytest-xdist"])
    figure = f"{others / own:.1f}x ({own:.2f} s against {others:.2f} s)"
    yield Row("trivial1k, 8 workers by ssh", ENV, ">= 8x faster than pytest-xdist", figure, others >= 8 * own)


def far_away(setting: Setting) -> Iterator[Row]:
    """trivial1k on a host that is far away."""
    suite, python = setting.suite("trivial1k"), setting.python(ENV)
    with distant.socketserver(setting) as server, distant.slow_way(server.port, ROUND_TRIP_MS / 2) as address:
        spec = f"4*socket={address}//python={python}//chdir={suite}"
        programs = {
            "far": [str(setting.binary), "--python", str(python), "--tx", spec],
            "here": setting.xdist(ENV, 4),
        }
        times = alternate(programs, suite, setting.rounds(5), suites.count("trivial1k"), server.environment)
    far, here = median(times["far"]), median(times["here"])
    most = 1.5 * here + 1
    figure = f"{far:.2f} s (here {here:.2f} s, so {most:.2f} s at most)"
    work = f"trivial1k, -n 4, {ROUND_TRIP_MS} ms round-trip time"
    yield Row(work, ENV, "<= 1.5x the local run + 1 s", figure, far <= most)


def setting_of(setting: Setting, name: str) -> Setting:
    """The same with a scratch directory of its own."""
    scratch = setting.scratch / name
    scratch.mkdir()
    return Setting(setting.binary, setting.envs, scratch, setting.quick)


def output(command: List[str], environment: Dict[str, str]) -> str:
    """What a program prints."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise BenchError(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def milliseconds(pattern: str, said: str) -> float:
    """A duration as Rust prints it, found in a text."""
    found = re.search(pattern, said)
    if not found or found.group(2) not in UNITS:
        raise BenchError(f"no duration in {said!r}")
    return float(found.group(1)) * UNITS[found.group(2)]
