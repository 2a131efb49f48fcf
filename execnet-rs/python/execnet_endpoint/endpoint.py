"""The interpreter's end of a link: who reads, where source runs, how it ends.

No thread stands between the link and the code that waits for it: whoever waits for something reads the link itself,
and deals out what is for others. A second thread looks every few milliseconds whether nobody has read for a while,
because all code is busy, and reads then.
"""

from __future__ import annotations

import _signal  # `signal` makes enumerations of its numbers, which takes long
import _thread
import os
import select
import sys
import time
from _collections import deque  # `collections` takes milliseconds to import

from execnet_endpoint import values
from execnet_endpoint.channels import Channel
from execnet_endpoint.errors import describe, remember
from execnet_endpoint.frames import (
    CLOSE,
    CREDIT,
    DATA,
    FINISH,
    GOODBYE,
    HELLO,
    OPEN,
    PART,
    PING,
    PONG,
    Reader,
    WireError,
    Writer,
)
from execnet_endpoint.values import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

PROTOCOL = 1
TICK = 0.005
# How long running code may take after the link has ended, before it is interrupted, and after that.
GRACE, LAST_GRACE = 5.0, 10.0
CHANNEL_LIMIT = 4096


class Endpoint:
    """The gateway, as code in this interpreter sees it."""

    def __init__(self, read: int, write: int, settings: dict[str, Any], describe_host: Callable[[], object]) -> None:
        self.describe_host = describe_host
        self.id = settings.get("id", "")
        self.model = settings.get("execmodel", "thread")
        self.window: int = settings.get("window", 2 << 20)
        self.initial: int = settings.get("initial", 64 << 10)
        self.worth = self.window // 4
        self.message_limit = 0
        self.dispatching = _thread.RLock()
        self.ended: str | None = None
        self._ended_at = 0.0
        self._full = settings.get("check") != "header"
        self._reader, self._writer = Reader(read), Writer(write, self._full)
        self._writing = _thread.allocate_lock()
        self._reading = _thread.allocate_lock()
        self._reading_thread = 0
        self._woken = 0
        self._reads = 0
        self._asleep: Any = None  # the second thread, when somebody else reads for long
        self._parked: list[Any] = []  # who waits while somebody else reads
        self._channels: dict[int, Channel] = {}
        self._next, self._peers = 2, -1
        self._peer_initial = 0
        self._tasks: deque[tuple[Channel, float]] = deque()
        self._task_waiters: list[Any] = []
        self._main_is_busy = False
        self._second: int | None = None
        self._executing = 0
        self._pid = os.getpid()
        values.carry_channels(Channel, self._number_of, self._channel_of)

    # The link.

    def greet(self) -> None:
        """Says hello and takes the other side's."""
        hello = {
            "protocol": PROTOCOL,
            "software": "Python {}.{}.{}".format(*sys.version_info[:3]),
            "pid": self._pid,
            "initial": self.initial,
            "message": 1 << 30,
            "check": "full" if self._full else "header",
        }
        self._writer.hello(dumps(hello))
        self._reader.skip_greeting()
        while True:
            frame = self._reader.next_frame()
            if frame is not None:
                break
            if not self._reader.fill():
                raise WireError("the stream ended before the hello")
        if frame[0] != HELLO:
            raise WireError("no hello")
        theirs = loads(frame[2])
        if theirs["protocol"] != PROTOCOL:
            raise WireError(f"protocol {theirs['protocol']!r} instead of {PROTOCOL!r}")
        self._reader.full = theirs["check"] == "full"
        self._peer_initial, self.message_limit = theirs["initial"], theirs["message"]

    def write(self, kind: int, channel: int, body: bytes | bytearray | memoryview) -> None:
        if self.ended:
            raise OSError(self.ended)
        try:
            with self._writing:
                self._writer.frame(kind, channel, body)
        except OSError as error:
            self._end(f"the connection broke: {error}")
            raise

    def wait(self, ready: Callable[[], Any], channel: Channel | None, timeout: float | None = None) -> bool:
        """Waits until `ready()`, reading the link if nobody else does. False if that took too long."""
        deadline = None if timeout is None else time.monotonic() + timeout
        waiters = self._task_waiters if channel is None else channel.waiters
        me = _thread.get_ident()
        while not ready():
            if self._reading_thread == me:
                # In a callback: what it waits for can only be read here.
                if self.ended or not self._read(deadline):
                    return bool(ready())
            elif self._reading.acquire(False):
                self._reading_thread = me
                try:
                    while not ready():
                        if self.ended or not self._read(deadline):
                            return bool(ready())
                finally:
                    self._stop_reading()
                return True
            else:
                left = -1 if deadline is None else deadline - time.monotonic()
                if deadline is not None and left <= 0:
                    return False
                self._park(ready, waiters, left)
        return True

    def _park(self, ready: Callable[[], Any], waiters: list[Any], seconds: float) -> None:
        lock = _thread.allocate_lock()
        lock.acquire()
        waiters.append(lock)
        self._parked.append(lock)
        try:
            # Whatever happens from here on finds the lock: neither news nor the end of the reading can be missed.
            if not ready() and self._reading.locked():
                lock.acquire(True, seconds)
        finally:
            waiters.remove(lock)
            self._parked.remove(lock)
            if not self._reading.locked():
                self._hand_over()

    def wake(self, waiters: list[Any]) -> None:
        """Wakes those who wait for something that has happened."""
        for lock in waiters[:]:
            self._woken += 1
            _release(lock)

    def _stop_reading(self) -> None:
        self._reading_thread = 0
        self._reading.release()
        self._hand_over()

    def _hand_over(self) -> None:
        """Nobody reads: let another one who waits do so, or the second thread."""
        for lock in self._parked[:]:
            if lock.locked():
                _release(lock)
                return
        if self._asleep is not None:
            _release(self._asleep)

    def _read(self, deadline: float | None = None) -> bool:
        """Waits for frames and deals them out; False if none came in time."""
        self._reads += 1
        try:
            next_frame = self._reader.next_frame
            frame = next_frame()
            while frame is None:
                if deadline is not None:
                    left = deadline - time.monotonic()
                    if left <= 0 or not self._poll(left):
                        return False
                if not self._reader.fill():
                    self._end("the connection ended without a goodbye")
                    return True
                frame = next_frame()
            with self.dispatching:
                while frame is not None:
                    self._dispatch(*frame)
                    frame = next_frame()
        except (WireError, ValueError, values.LoadError) as error:
            self._end(f"the connection was disturbed: {error}")
        except OSError as error:
            self._end(f"the connection broke: {error}")
        return True

    def _poll(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._reader.descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _dispatch(self, kind: int, number: int, body: bytes) -> None:
        if kind == PING:
            if len(body) != 8:
                raise WireError("malformed ping")
            self.write(PONG, 0, body)
        elif kind == GOODBYE:
            self._end("the other side said goodbye")
        elif kind == OPEN:
            self._opened(number, body.decode())
        elif kind in (PONG, HELLO):
            raise WireError(f"unexpected frame of kind {kind}")
        else:
            channel = self._channels.get(number)
            if channel is None:
                if not (number < self._next if number % 2 == 0 else number <= self._peers):
                    raise WireError(f"frame for channel {number}, which was never opened")
                return
            if kind == DATA:
                channel.arrived(body, True)
            elif kind == PART:
                channel.arrived(body, False)
            elif kind == CREDIT:
                channel.credited(int.from_bytes(body, "big"))
            elif kind == FINISH:
                channel.finished = True
                channel.ended()
            else:
                self._closed(channel, body)

    def _closed(self, channel: Channel, body: bytes) -> None:
        channel.peer_closed = True
        if body:
            channel.error = body
        if not channel.closed:
            channel.closed = True
            self.write(CLOSE, channel.id, b"")
            channel.ended()
        self._channels.pop(channel.id, None)

    def _end(self, reason: str) -> None:
        """The link has ended: so has everything on it, once."""
        with self.dispatching:
            if self.ended:
                return
            self.ended = reason
            self._ended_at = time.monotonic()
            for channel in list(self._channels.values()):
                channel.lost = reason
                channel.ended()
            self._channels.clear()
        self.wake(self._task_waiters + self._parked)
        if self._asleep is not None:
            _release(self._asleep)

    # Channels.

    def newchannel(self) -> Channel:
        """A new channel; send it to the other side for it to be of use there."""
        with self.dispatching:
            number = self._next
            self._next += 2
            channel = Channel(self, number, self.initial, self._peer_initial)
            self._channels[number] = channel
        self.write(OPEN, number, b"")
        return channel

    def _opened(self, number: int, service: str) -> None:
        if number % 2 == 0 or number <= self._peers or len(self._channels) >= CHANNEL_LIMIT:
            raise WireError(f"channel {number} cannot be opened")
        self._peers = number
        channel = self._channels[number] = Channel(self, number, self.initial, self._peer_initial)
        if service == "exec":
            self._schedule(channel)
        elif service == "status":
            channel.send(self.status())
            channel.close()
        elif service == "info":
            _thread.start_new_thread(self._answer, (channel, self.describe_host))
        elif service:
            channel.close({"type": "LookupError", "message": f"no service {service!r} in a Python interpreter"})

    def _answer(self, channel: Channel, ask: Callable[[], object]) -> None:
        try:
            channel.send(ask())
            channel.close()
        except Exception as error:
            channel.close(describe(error))

    def forget(self, channel: Channel) -> None:
        """A channel was closed here: keep it until the other side says so too."""
        if channel.peer_closed:
            self._channels.pop(channel.id, None)

    def _number_of(self, channel: Channel) -> int:
        if channel.gateway is not self:
            raise values.DumpError("a channel can only be sent through the connection that it belongs to")
        return channel.id

    def _channel_of(self, number: int) -> Channel:
        channel = self._channels.get(number)
        if channel is None:
            channel = Channel(self, number, 0, 0)
            channel.closed = channel.peer_closed = True
        return channel

    def status(self) -> dict[str, Any]:
        return {"numchannels": len(self._channels), "numexecuting": self._executing, "execmodel": self.model}

    # Source that is sent.

    def _schedule(self, channel: Channel) -> None:
        self._executing += 1
        if self._second is None:
            self._second = _thread.start_new_thread(self._look_after, ())
        if self._main_is_busy and self.model == "thread":
            try:
                _thread.start_new_thread(self._run, (channel,))
            except RuntimeError as error:
                self._executing -= 1
                channel.close(describe(error))
        else:
            self._main_is_busy = True
            self._tasks.append((channel, time.monotonic()))
            self.wake(self._task_waiters)
            if self._asleep is not None:
                _release(self._asleep)

    def serve(self) -> None:
        """The main thread's life: runs what comes until the link ends."""
        heed_interrupts()
        while True:
            self.wait(lambda: self._tasks or self.ended, None)
            if self.ended:
                break
            with self.dispatching:
                if not self._tasks:
                    continue
                channel, _ = self._tasks.popleft()
            try:
                self._run(channel)
            finally:
                with self.dispatching:
                    self._main_is_busy = bool(self._tasks)
        try:
            while self._executing > 0:
                time.sleep(TICK)
        except KeyboardInterrupt:
            pass  # The second thread's way to say that it has been long enough.

    def _run(self, channel: Channel) -> None:
        try:
            try:
                request = channel.receive()
            except (EOFError, values.LoadError):
                return
            name = request["file"]
            remember(name, request["source"])
            space = {"channel": channel, "__name__": "__channelexec__"}
            exec(compile(request["source"], name, "exec", dont_inherit=True), space)
            function = request.get("function")
            if function:
                space[function](channel, **request["arguments"])
        except BaseException as error:
            # The end of the link is no error of the code that met it.
            if os.getpid() == self._pid and not channel.isclosed():
                channel.close(describe(error))
        finally:
            if os.getpid() != self._pid:
                # A fork of the code has come back out of it.
                os._exit(0)
            channel.close()
            with self.dispatching:
                self._executing -= 1

    # The second thread.

    def _look_after(self) -> None:
        seen = -1
        while not self.ended:
            time.sleep(TICK)
            self._refuse_what_waits()
            if self._reads != seen:
                seen = self._reads
            elif self._reading.acquire(False):
                self._reading_thread = _thread.get_ident()
                woken = self._woken
                try:
                    # Until somebody was woken, who is likely to read from then on.
                    while not self.ended and self._woken == woken:
                        if self._tasks and self._main_is_busy:
                            self._read(time.monotonic() + TICK)
                            break
                        self._read()
                finally:
                    self._stop_reading()
                seen = self._reads
            elif not self._tasks:
                self._asleep = lock = _thread.allocate_lock()
                lock.acquire()
                if self._reading.locked() and not self.ended:
                    lock.acquire()
                self._asleep = None
        self._see_to_the_end()

    def _refuse_what_waits(self) -> None:
        """In one thread only, code that waits for other code could wait for ever."""
        with self.dispatching:
            if self._main_is_busy and self._executing > len(self._tasks):
                while self._tasks and time.monotonic() - self._tasks[0][1] > 1:
                    channel, _ = self._tasks.popleft()
                    self._executing -= 1
                    text = "concurrent remote_exec would cause deadlock for main_thread_only execmodel"
                    channel.close({"type": "RuntimeError", "message": text})

    def _see_to_the_end(self) -> None:
        for grace in (GRACE, LAST_GRACE):
            until = time.monotonic() + grace
            while time.monotonic() < until:
                time.sleep(TICK)
            if os.getpid() == self._pid:
                os.kill(self._pid, _signal.SIGINT)
        os._exit(1)

    def forked(self) -> None:
        """In a forked child: the link is the parent's."""
        self.ended = "the connection belongs to the parent of this process"
        for channel in self._channels.values():
            channel.lost = self.ended
        self._channels.clear()
        for descriptor in (self._reader.descriptor, self._writer.descriptor):
            try:
                os.close(descriptor)
            except OSError:
                pass


def heed_interrupts() -> None:
    """Have code be told that its time is over, also where this comes from a job that a shell put into the background.

    Such jobs ignore SIGINT, and so does what they start.
    """
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def _release(lock: Any) -> None:
    try:
        lock.release()
    except RuntimeError:
        pass  # It was released already.
