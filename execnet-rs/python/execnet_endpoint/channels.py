"""Channels as remote code sees them: send, receive, iterate, call back, close. The twin of `mux/channel.rs`."""

from __future__ import annotations

import _thread
import struct
from _collections import deque  # `collections` takes milliseconds to import

from execnet_endpoint.errors import ERROR_LIMIT, describe, shorten
from execnet_endpoint.frames import CLOSE, CREDIT, DATA, FINISH, FRAGMENT, PART
from execnet_endpoint.values import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator

    from execnet_endpoint.endpoint import Endpoint

FRAME_COST = 64
PIECE = 4096
_U32 = struct.Struct(">I")
_NO_MARKER: Any = object()


class RemoteError(Exception):
    """The other side closed the channel with an error."""

    def __init__(self, error: Any) -> None:
        self.details = error if isinstance(error, dict) else {"message": str(error)}
        super().__init__(str(self.details.get("traceback") or self.details.get("message") or error))


class Channel:
    """One ordered two-way stream of values to the other side."""

    RemoteError = RemoteError
    TimeoutError = TimeoutError

    def __init__(self, gateway: Endpoint, number: int, allowed: int, credit: int) -> None:
        self.gateway = gateway
        self.id = number
        self._items: deque[tuple[bytes, int]] = deque()
        self._parts: list[bytes] = []
        self._cost = 0  # of the message that is arriving, not given back yet
        self._wanted = 0  # how many wait for a message
        self._due = 0  # what can be given back
        self._given = allowed  # credit, in all
        self._arrived = 0  # what used it up, in all; changed by whoever reads, and nobody else
        self._raised = False
        self._counting = _thread.allocate_lock()
        self._callback: Callable[[Any], object] | None = None
        self._marker = _NO_MARKER
        self.waiters: list[Any] = []  # locks that wake those who wait for something here
        self._granted = credit  # in all; changed by whoever reads, and nobody else
        self._spent = 0  # in all; changed under the lock
        self._sending = _thread.allocate_lock()  # a large message's pieces stay together
        self.finished = False  # the other side sends no more
        self.error: bytes | None = None
        self.peer_closed = False
        self.closed = False  # this side has closed
        self.half_closed = False
        self.lost: str | None = None

    def __repr__(self) -> str:
        return f"<Channel id={self.id} {'closed' if self.isclosed() else 'open'}>"

    # Sending.

    def send(self, item: object) -> None:
        """Sends a value. Waits while the other side does not take what was sent before."""
        data = dumps(item)
        if self.closed or self.half_closed or self.peer_closed or self.lost:
            raise OSError(f"cannot send to {self!r}: {self.lost or 'it is closed'}")
        size = len(data)
        if size > self.gateway.message_limit:
            raise OSError(f"a message of {size} bytes is larger than the other side takes")
        with self._sending:
            if size <= FRAGMENT and self._granted - self._spent >= size + FRAME_COST:
                self._spent += size + FRAME_COST
                self.gateway.write(DATA, self.id, data)
            else:
                self._send_pieces(memoryview(data))

    def _send_pieces(self, data: memoryview) -> None:
        while True:
            enough = min(len(data), PIECE) + FRAME_COST
            if self._granted - self._spent < enough:
                self._wait_for_credit(enough)
                if self.closed or self.peer_closed or self.lost:
                    raise OSError(f"cannot send to {self!r}: {self.lost or 'it is closed'}")
            size = min(len(data), FRAGMENT, self._granted - self._spent - FRAME_COST)
            self._spent += size + FRAME_COST
            last = size == len(data)
            self.gateway.write(DATA if last else PART, self.id, data[:size])
            if last:
                return
            data = data[size:]

    def _wait_for_credit(self, enough: int) -> None:
        self.gateway.wait(lambda: self._granted - self._spent >= enough or self.isclosed(), self)

    # Receiving.

    def receive(self, timeout: float | None = None) -> Any:
        """The next value. `EOFError` after the last one, `RemoteError` if the other side failed, `TimeoutError`."""
        if self._callback is not None:
            raise OSError(f"cannot receive from {self!r}: it has a callback")
        while True:
            try:
                data, cost = self._items.popleft()
                break
            except IndexError:
                self._wait_for_message(timeout)
        with self._counting:
            self._due += cost
        if self._due >= self.gateway.worth or not self._raised:
            self._grant()
        return loads(data)

    def _wait_for_message(self, timeout: float | None) -> None:
        if self.over():
            raise self.why()
        self._wanted += 1
        try:
            with self._counting:
                self._due += self._cost
                self._cost = 0
            self._grant()
            if not self.gateway.wait(lambda: self._items or self.over(), self, timeout):
                raise TimeoutError(f"no item after {timeout!r} seconds")
        finally:
            self._wanted -= 1

    def _grant(self) -> None:
        with self._counting:
            if not self._raised:
                self._raised = True
                self._due += self.gateway.window - self.gateway.initial
            hungry = self._wanted and self._due > 0 and self._given - self._arrived < PIECE + FRAME_COST
            if not (self._due >= self.gateway.worth or hungry) or self.over():
                return
            due, self._due = self._due, 0
            self._given += due
        try:
            self.gateway.write(CREDIT, self.id, _U32.pack(due))
        except OSError:
            pass  # The link has ended, which whoever waits is told.

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self.receive()
        except EOFError:
            raise StopIteration from None

    def setcallback(self, callback: Callable[[Any], object], endmarker: object = _NO_MARKER) -> None:
        """Calls back for every value, those that wait first, and with the end marker once when the channel ends."""
        with self.gateway.dispatching:
            if self._callback is not None:
                raise OSError(f"{self!r} has a callback already")
            self._callback, self._marker = callback, endmarker
            while self._items:
                self._call_back(*self._items.popleft())
            if self.over():
                self.ended()
            else:
                self._wanted += 1
                self._grant()

    def _call_back(self, data: bytes, cost: int) -> None:
        assert self._callback is not None
        try:
            self._callback(loads(data))
        except BaseException as error:
            # It is the sender who has to know.
            self.close(describe(error))
        with self._counting:
            self._due += cost
        self._grant()

    def waitclose(self, timeout: float | None = None) -> None:
        """Waits until the other side sends no more. Raises its error, or `EOFError` if the connection is lost."""
        if not self.over() and not self.gateway.wait(self.over, self, timeout):
            raise TimeoutError(f"not closed after {timeout!r} seconds")
        why = self.why()
        if self.error is not None or self.lost:
            raise why

    # Ending.

    def isclosed(self) -> bool:
        return self.closed or self.peer_closed or self.lost is not None

    def close(self, error: object = None) -> None:
        """Closes both directions. What was sent before still arrives, then the error, if there is one."""
        if self.closed:
            return
        body = b""
        if error is not None:
            details = error if isinstance(error, dict) else {"message": str(error)}
            body = bytes(dumps(details))
            if len(body) > ERROR_LIMIT:
                body = bytes(dumps(shorten(details)))
        # Not before: of what cannot be sent, the other side is told as of any error.
        self.closed = True
        if self.lost is None:
            try:
                self.gateway.write(CLOSE, self.id, body)
            except OSError:
                pass
        self.gateway.forget(self)
        self.ended()

    def finish(self) -> None:
        """Sends no more; receiving goes on."""
        if not (self.half_closed or self.isclosed()):
            self.half_closed = True
            self.gateway.write(FINISH, self.id, b"")

    def makefile(self, mode: str = "w", proxyclose: bool = False) -> ChannelFile:
        """A file-like object whose `write` sends, or whose `read` and `readline` receive, text."""
        if mode not in ("r", "w"):
            raise ValueError(f"mode {mode!r}: only 'r' and 'w' are offered")
        return ChannelFile(self, proxyclose)

    # What the gateway tells.

    def over(self) -> bool:
        """Whether nothing more arrives."""
        return self.finished or self.closed or self.peer_closed or self.lost is not None

    def why(self) -> Exception:
        if self.error is not None:
            return RemoteError(loads(self.error))
        return EOFError(self.lost or f"{self!r}: the other side sends no more")

    def arrived(self, body: bytes, last: bool) -> None:
        cost = len(body) + FRAME_COST
        self._arrived += cost
        if self._arrived > self._given:
            raise ValueError("credit was not kept to")
        if self.closed:
            return
        if not last:
            self._parts.append(body)
            with self._counting:
                if self._wanted:
                    self._due += cost
                else:
                    self._cost += cost
            if self._wanted:
                self._grant()
            return
        if self._parts:
            with self._counting:
                cost += self._cost
                self._cost = 0
            self._parts.append(body)
            body = b"".join(self._parts)
            self._parts = []
        if self._callback is not None:
            self._call_back(body, cost)
        else:
            self._items.append((body, cost))
            self.wake()

    def credited(self, more: int) -> None:
        self._granted += more
        self.wake()

    def ended(self) -> None:
        """Nothing more arrives: whoever waits is told, once."""
        if self._marker is not _NO_MARKER and self._callback is not None:
            marker, self._marker = self._marker, _NO_MARKER
            try:
                self._callback(marker)
            except Exception:
                pass  # There is nobody left who could be told.
        self.wake()

    def wake(self) -> None:
        if self.waiters:
            self.gateway.wake(self.waiters)


class ChannelFile:
    """A channel of text that looks like a file."""

    def __init__(self, channel: Channel, proxyclose: bool) -> None:
        self.channel = channel
        self._proxyclose = proxyclose
        self._rest = ""
        self.closed = False

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> None:
        self.channel.send(text)

    def flush(self) -> None:
        pass

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.channel.send(line)

    def _more(self) -> bool:
        try:
            self._rest += self.channel.receive()
        except EOFError:
            return False
        return True

    def read(self, size: int) -> str:
        while len(self._rest) < size and self._more():
            pass
        text, self._rest = self._rest[:size], self._rest[size:]
        return text

    def readline(self) -> str:
        while "\n" not in self._rest and self._more():
            pass
        end = self._rest.find("\n") + 1 or len(self._rest)
        line, self._rest = self._rest[:end], self._rest[end:]
        return line

    def close(self) -> None:
        self.closed = True
        if self._proxyclose:
            self.channel.close()
