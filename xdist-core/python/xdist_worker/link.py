"""The connection of one process to the controller: a unix socket, blocking, owned by one pid.

Everything that tests may replace or disturb (socket classes, `os` functions, low descriptors) is bound here at import
or avoided: the descriptor lives above 200 and closes on exec, and a child that a test forked ends hard when it tries to
send, since its frames would be taken for its parent's.
"""

from __future__ import annotations

import _socket
import fcntl
import select
import signal
import struct
from os import _exit, getpid, set_inheritable
from termios import TIOCOUTQ
from typing import Any, Callable, List, NoReturn, Optional

from . import wire

LOWEST_DESCRIPTOR = 201
# One write of up to this size is taken as a whole or not at all, so an interrupt cannot cut a frame in two.
_ATOMIC = 16384
# No byte unread, as the system writes it.
_NOTHING = bytes(struct.calcsize("@i"))
_NOSIGNAL = getattr(_socket, "MSG_NOSIGNAL", 0)


class LinkLost(KeyboardInterrupt):
    """The controller is gone. Ends the session as an interrupt does: clean-up runs, nothing more starts."""


def high_descriptor(fd: int) -> int:
    """A close-on-exec duplicate of `fd`, out of the reach of tests that close low numbers, where limits allow it."""
    try:
        made = fcntl.fcntl(fd, fcntl.F_DUPFD, LOWEST_DESCRIPTOR)
    except (OSError, ValueError):
        made = fcntl.fcntl(fd, fcntl.F_DUPFD, 3)
    # In two steps, since not every interpreter knows the name of the one that does both.
    set_inheritable(made, False)
    return made


class Link:
    """Sends and receives messages."""

    def __init__(self, sock: _socket.socket) -> None:
        fd = high_descriptor(sock.fileno())
        sock.close()
        self._sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fileno=fd)
        self._sock.settimeout(None)
        self._send: Callable[..., int] = self._sock.send
        self._fd = fd
        self._ioctl: Callable[..., Any] = fcntl.ioctl
        self._unread = bytearray(_NOTHING)
        self._pid = getpid()
        self._buffer = bytearray()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLIN)
        self.lost = False
        # Frames so far.
        self.sent = 0
        self.path = ""
        self.on_broken: Callable[[], None] = lambda: None

    @classmethod
    def connect(cls, path: str) -> Link:
        """Connect to the controller that listens at `path`."""
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0)
        sock.settimeout(None)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise
        link = cls(sock)
        link.path = path
        return link

    def fileno(self) -> int:
        """The descriptor."""
        return self._sock.fileno()

    def is_own(self) -> bool:
        """Whether this process may send: it is not a child that a test forked, and the controller is there."""
        return getpid() == self._pid and not self.lost

    def close(self) -> None:
        """Close this process's end; in a forked child the parent's stays open."""
        self.lost = True
        self._sock.close()

    def send(self, message: Any) -> None:
        """Send a message: a name, or a map of one name to its fields."""
        self.send_frame(wire.frame(message))

    def send_frame(self, data: bytes) -> None:
        """Send a ready frame. Raises `LinkLost` once when the controller is gone; sends nothing from then on."""
        if getpid() != self._pid:
            _exit(1)
        if self.lost:
            return
        try:
            if len(data) <= _ATOMIC:
                if self._send(data, _NOSIGNAL) == len(data):
                    self.sent += 1
                    return
                self._fail()
            self._send_long(data)
            self.sent += 1
        except (BrokenPipeError, ConnectionError):
            self._fail()
        except OSError:
            self._broken()

    def is_drained(self) -> bool:
        """Whether the controller has read everything that was ever written here, by whomever.

        What would keep a frame from being sent has the same consequences here.
        """
        if getpid() != self._pid:
            _exit(1)
        if self.lost:
            return False
        try:
            # Into a buffer that is there already: half the time of a new one.
            self._ioctl(self._fd, TIOCOUTQ, self._unread)
            return self._unread == _NOTHING
        except OSError:
            self._broken()

    def can_tell_drained(self) -> bool:
        """Whether this system knows what `is_drained` asks for."""
        try:
            self._ioctl(self._fd, TIOCOUTQ, self._unread)
        except OSError:
            return False
        return True

    def _broken(self) -> NoReturn:
        """A test closed the descriptor or put another file there: nothing can be told any more, so nothing is run."""
        self.on_broken()
        _exit(1)

    def _send_long(self, data: bytes) -> None:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGALRM})
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._send(rest, _NOSIGNAL) :]
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _fail(self) -> None:
        self.lost = True
        raise LinkLost("the xdist program is gone")

    def receive(self) -> Optional[Any]:
        """The next message; waits for it. `None`: the controller closed the connection."""
        while True:
            message = self._take()
            if message is not None:
                return message
            if not self._fill():
                return None

    def pending(self) -> List[Any]:
        """Messages that have arrived, without waiting. Sets `lost` when the controller closed the connection."""
        while not self.lost and self._poll.poll(0):
            if not self._fill():
                break
        if not self._buffer:
            return []
        messages = []
        while True:
            message = self._take()
            if message is None:
                return messages
            messages.append(message)

    def quiet(self) -> bool:
        """Whether nothing has arrived: the cheap question before each test."""
        return not self._buffer and not self._poll.poll(0)

    def _fill(self) -> bool:
        if self.lost:
            return False
        if getpid() != self._pid:
            # What has arrived is for the parent of this child.
            _exit(1)
        try:
            data = self._sock.recv(65536)
        except ConnectionError:
            data = b""
        except OSError:
            self._broken()
        if not data:
            self.lost = True
            return False
        self._buffer += data
        return True

    def _take(self) -> Optional[Any]:
        buffer = self._buffer
        if len(buffer) < wire.PREFIX_SIZE:
            return None
        try:
            end = wire.PREFIX_SIZE + wire.announced(buffer)
        except wire.WireError:
            # A test took away a part of what was sent to this process.
            self._broken()
        if len(buffer) < end:
            return None
        message = wire.decode(bytes(buffer[wire.PREFIX_SIZE : end]))
        del buffer[:end]
        return message


def name_of(message: Any) -> str:
    """The variant of a message."""
    if isinstance(message, dict) and len(message) == 1:
        return str(next(iter(message)))
    return str(message)
