"""Hosts for benchmarks, all on this machine: an sshd, a `socketserver`, a slow way to one."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator

from setting import BenchError, Setting

SSHD = Path("/usr/sbin/sshd")
PATIENCE = 10.0


@dataclass(frozen=True)
class Sshd:
    """What leads to a running sshd."""

    config: Path
    environment: Dict[str, str]

    def spec(self, *parts: str) -> str:
        """A spec for this host."""
        return "//".join(["ssh=box", f"ssh_config={self.config}", *parts])


@contextlib.contextmanager
def sshd(setting: Setting) -> Iterator[Sshd]:
    """One that lets in who runs this, by a key of its own."""
    if not SSHD.exists():
        raise BenchError(f"there is no {SSHD}\nhint: apt-get install openssh-server")
    place = setting.scratch / "sshd"
    home = place / "home"
    home.mkdir(parents=True)
    for name in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)], check=True)
    port = free_port()
    (place / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile none\n"
        f"AuthorizedKeysFile {place}/id.pub\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nPrintMotd no\nMaxStartups 100\nSetEnv HOME={home}\n"
    )
    key = " ".join((place / "host.pub").read_text().split()[:2])
    (place / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}\n")
    config = place / "ssh_config"
    config.write_text(
        f"Host box\nHostName 127.0.0.1\nPort {port}\nUser {getpass.getuser()}\nIdentityFile {place}/id\n"
        f"IdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {place}/known_hosts\n"
        "GlobalKnownHostsFile /dev/null\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    agents = place / "agents"
    agents.mkdir()
    shutil.copy(agent(setting), agents / f"socketserver-linux-{platform.machine()}")
    command = [str(SSHD), "-D", "-e", "-f", str(place / "sshd_config")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until_listening(port)
            yield Sshd(config, {**os.environ, "XDIST_AGENT_DIR": str(agents)})
        finally:
            server.terminate()


@dataclass(frozen=True)
class Server:
    """What leads to a running `socketserver`."""

    address: str
    environment: Dict[str, str]

    @property
    def port(self) -> int:
        """The last part of its address."""
        return int(self.address.rpartition(":")[2])


@contextlib.contextmanager
def socketserver(setting: Setting) -> Iterator[Server]:
    """One on the loopback device."""
    state = setting.scratch / "state"
    command = [str(agent(setting)), "127.0.0.1:0", "--log", os.devnull]
    environment = {**os.environ, "XDG_STATE_HOME": str(state)}
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        said = server.stdout.readline().decode().strip()
        try:
            if not said.startswith("listening on "):
                raise BenchError(f"socketserver says {said!r}")
            token = state / "xdist" / "socketserver" / "tokens" / "default"
            yield Server(said[len("listening on ") :], {**os.environ, "XDIST_TOKEN_FILE": str(token)})
        finally:
            server.terminate()


@contextlib.contextmanager
def slow_way(port: int, one_way_ms: float) -> Iterator[str]:
    """The address of a relay to a port of this host."""
    relay = Path(__file__).with_name("relay.py")
    command = [sys.executable, str(relay), "127.0.0.1", str(port), str(one_way_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            yield f"127.0.0.1:{int(running.stdout.readline())}"
        finally:
            running.kill()


def agent(setting: Setting) -> Path:
    """The program beside the one that is measured."""
    path = setting.binary.with_name("socketserver")
    if not path.exists():
        raise BenchError(f"there is no {path}\nhint: run `make release`")
    return path


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until_listening(port: int) -> None:
    """Wait for a server to come up."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
    raise BenchError(f"nobody listens on port {port} after {PATIENCE} s")
