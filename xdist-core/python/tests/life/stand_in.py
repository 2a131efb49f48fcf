"""A small controller for the tests: real sockets, real processes, one thread; a deadline instead of hope."""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from xdist_worker import wire

PACKAGE = Path(wire.__file__).parent
BOOT = (PACKAGE / "boot.txt").read_text()
DEADLINE = float(os.environ.get("XDIST_TEST_DEADLINE", "60"))


class Peer:
    """One connection of a Python process, and what it said."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.hello: Dict[str, Any] = {}
        self.said: List[Tuple[str, Any]] = []
        self.closed = False

    @property
    def id(self) -> str:
        return str(self.hello.get("id"))

    def send(self, message: Any) -> None:
        self.sock.sendall(wire.frame(message))

    def all(self, name: str) -> List[Any]:
        return [fields for said, fields in self.said if said == name]

    def read(self) -> None:
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return
        self.buffer += data
        while len(self.buffer) >= wire.PREFIX_SIZE:
            end = wire.PREFIX_SIZE + wire.announced(self.buffer)
            if len(self.buffer) < end:
                return
            message = wire.decode(self.buffer[wire.PREFIX_SIZE : end])
            self.buffer = self.buffer[end:]
            name, fields = (message, None) if isinstance(message, str) else next(iter(message.items()))
            if name == "hello":
                self.hello = fields
            self.said.append((name, fields))


class Pipe:
    """A named pipe whose content is gathered by a thread until the last writer is gone and `close` was called."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._keep = os.open(path, os.O_WRONLY)
        os.set_blocking(self._fd, True)
        self.data = b""
        self._thread = threading.Thread(target=self._gather, daemon=True)
        self._thread.start()

    def _gather(self) -> None:
        while True:
            data = os.read(self._fd, 65536)
            if not data:
                return
            self.data += data

    def close(self) -> str:
        os.close(self._keep)
        self._thread.join(DEADLINE)
        os.close(self._fd)
        return self.data.decode(errors="replace")


class StandIn:
    """Starts a fork server and talks to whatever comes out of it."""

    def __init__(self, project: Path, python: Sequence[str] = (sys.executable,), env: Optional[dict] = None) -> None:
        self.project = project
        self.python = list(python)
        self.dir = Path(tempfile.mkdtemp(prefix="xd"))
        self.path = str(self.dir / "s")
        self.page = self.dir / "page"
        self.page.write_bytes(bytes(64 * 9))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self.peers: List[Peer] = []
        self.pipes: Dict[str, Pipe] = {}
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        self.env.update(env or {})
        self.processes: List[subprocess.Popen] = []
        self._incarnations: Dict[str, int] = {}

    def __enter__(self) -> StandIn:
        return self

    def __exit__(self, *_: object) -> None:
        for peer in self.peers:
            if not peer.closed and peer.hello.get("pid"):
                try:
                    os.kill(peer.hello["pid"], signal.SIGKILL)
                except ProcessLookupError:
                    pass
            peer.sock.close()
        for process in self.processes:
            process.kill()
            process.communicate()
        self._listener.close()
        for pipe in self.pipes.values():
            pipe.close()
        shutil.rmtree(self.dir)

    def start(self, *more: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [*self.python, "-c", BOOT, str(PACKAGE), self.path, *more],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def step(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            told = {peer.id: peer.said[-3:] for peer in self.peers}
            raise AssertionError(f"nothing happened in time; last words: {told}")
        # Conditions may be met by something else than a message.
        for key, _ in self._selector.select(min(left, 0.05)):
            if key.fileobj is self._listener:
                sock, _ = self._listener.accept()
                peer = Peer(sock)
                self.peers.append(peer)
                self._selector.register(sock, selectors.EVENT_READ, peer)
            else:
                key.data.read()
                if key.data.closed:
                    self._selector.unregister(key.fileobj)

    def until(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + DEADLINE
        while True:
            found = condition()
            if found:
                return found
            self.step(deadline)

    def peer(self, name: str, incarnation: int = 0) -> Peer:
        return self.until(
            lambda: next((p for p in self.peers if p.id == name and p.hello.get("incarnation", 0) == incarnation), None)
        )

    def say(self, peer: Peer, name: str) -> Any:
        """The first message of that name; fails if the peer leaves without it."""
        self.until(lambda: peer.all(name) or peer.closed)
        assert peer.all(name), f"{peer.id} left without {name}: {peer.said}"
        return peer.all(name)[0]

    def gone(self, peer: Peer) -> None:
        self.until(lambda: peer.closed)

    def streams(self, owner: str) -> Dict[str, str]:
        """Named pipes for somebody's output."""
        paths = {}
        for stream in ("stdout", "stderr"):
            pipe = self.pipes.get(f"{owner}-{stream}") or Pipe(self.dir / f"{owner}-{stream}")
            self.pipes[f"{owner}-{stream}"] = pipe
            paths[stream] = str(pipe.path)
        return paths

    def identity(self, name: str, incarnation: int = 0, count: int = 3) -> Dict[str, Any]:
        return {
            "id": name,
            "incarnation": incarnation,
            "count": count,
            "testrunuid": "run-1",
            "slot": int(name[2:]),
            "page": str(self.page),
            "basetemp": "",
            "mainargv": ["xdist", "-n", "3"],
            **self.streams(f"{name}-{incarnation}"),
        }

    def output(self, name: str, stream: str = "stdout", incarnation: int = 0) -> str:
        """What a worker that has ended wrote past capturing."""
        return self.pipes.pop(f"{name}-{incarnation}-{stream}").close()

    def session(self, *args: str, name: str = "session-0") -> Peer:
        """Have the fork server fork a session."""
        server = self.peer("server")
        streams = self.streams(name)
        server.send(
            {
                "fork": {
                    "role": "session",
                    "id": name,
                    "incarnation": 0,
                    "args": list(args),
                    "expect_distribution": False,
                    "identity": None,
                    "rendering": None,
                    **streams,
                }
            }
        )
        return self.peer(name)

    def collector(self, *args: str) -> Peer:
        """A session that became the collector."""
        self.start()
        session = self.session(*args)
        self.say(session, "facts")
        session.send({"collect": [self.identity("gw0"), RENDERING]})
        return session

    def deal(self, workers: List[Peer], total: int) -> None:
        """Give every worker every nth test, and say that nothing more comes."""
        for number, worker in enumerate(workers):
            worker.send({"run": list(range(number, total, len(workers)))})
            worker.send("no_more")


RENDERING = {"width": 80, "color": False, "passed_output": False, "junit": False}


def outcomes(*peers: Peer) -> Dict[int, str]:
    """The outcome of each test that has one: passed, or the outcome of the report that was not."""
    found: Dict[int, str] = {}
    for peer in peers:
        for name, fields in peer.said:
            if name in ("passed", "passed_next"):
                assert fields[0] not in found
                found[fields[0]] = "passed"
            elif name == "done":
                found.setdefault(fields, "passed")
            elif name == "report" and fields[1]["outcome"] != "passed":
                found[fields[0]] = fields[1]["outcome"]
    return found
