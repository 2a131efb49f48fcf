"""The watch: what is swapped in before the conftests load, and the look at the end state after collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import callers, environ, maps, modules, plugins, processes, tempdirs, workerinput
from .descriptors import Descriptors
from .origins import Origins
from .threads import Threads


class Watch:
    """Collects evidence between `start` and the fork.

    `on_first` is called once, with the text, at the moment something reads the worker's identity.
    """

    def __init__(self, on_first: Callable[[str], None] | None = None) -> None:
        self.identity_read: tuple[str, int, str] | None = None
        """File, line and what was done there, of the first read that counts."""
        self.rootdir: str | None = None
        """Paths in texts are relative to it; found by itself if not set."""
        self._on_first = on_first
        self._keys = {"workerid"}
        self._inputs: list[workerinput.WatchedInput] = []
        self._threads = Threads()
        self._descriptors = Descriptors()
        self._origins = Origins()
        self._children: set[int] = set()
        self._maps: set[bytes] = set()
        self._tempdirs = tempdirs.TempDirs()

    def start(self) -> None:
        """Swap the watching classes in and remember what is already there."""
        environ.start(self._environ_read)
        self._tempdirs.start()
        self._threads.start()
        self._descriptors.start()
        self._origins.start()
        self._children = processes.children()
        self._maps = maps.shared()

    def stop(self) -> None:
        """Swap everything back; reads are recorded no more."""
        environ.stop()
        for mapping in self._inputs:
            workerinput.release(mapping)
        self._inputs.clear()
        self._tempdirs.stop()
        self._threads.stop()
        self._origins.stop()

    def track(self, source: dict[str, Any]) -> dict[str, Any]:
        """`source` as a mapping whose readers are told apart; update it in place after the fork."""
        made = workerinput.watched(source, self._keys, self._input_read)
        self._inputs.append(made)
        return made

    def register(self, key: str) -> None:
        """Another key of the worker input whose value differs from worker to worker."""
        self._keys.add(key)

    def allow(self, descriptor: int) -> None:
        """A descriptor opened after `start` that is the program's own."""
        self._descriptors.allow(descriptor)

    def check(self, config: Any) -> str | None:
        """The first evidence up to now as text, None if forking after collection looks safe."""
        self.rootdir = rootdir = str(config.rootpath)
        if self.identity_read is not None:
            return self._text(self.identity_read, rootdir)
        return (
            plugins.check(config)
            or processes.replaced()
            or self._threads.check(rootdir)
            or self._descriptors.check(config, self._origins)
            or processes.started(self._children)
            or maps.check(self._maps)
            or self._tempdirs.check(rootdir)
            or modules.check()
        )

    def _environ_read(self, depth: int, copied: bool) -> None:
        if self.identity_read is not None:
            return
        if copied:
            self._record(callers.copier(depth + 1), f"copies os.environ with {environ.NAME}")
        else:
            self._record(callers.reader(depth + 1), f"reads {environ.NAME}")

    def _input_read(self, depth: int, key: str | None) -> None:
        if self.identity_read is None:
            action = "reads all of config.workerinput" if key is None else f'reads config.workerinput["{key}"]'
            self._record(callers.reader(depth + 1), action)

    def _record(self, place: callers.Place | None, action: str) -> None:
        if place is None:
            return
        self.identity_read = (place.file, place.line, action)
        if self._on_first is not None:
            self._on_first(self._text(self.identity_read, self.rootdir or callers.rootdir_of_stack(1)))

    @staticmethod
    def _text(read: tuple[str, int, str], rootdir: str) -> str:
        file, line, action = read
        return f"{callers.Place(file, line).text(rootdir)} {action}"
