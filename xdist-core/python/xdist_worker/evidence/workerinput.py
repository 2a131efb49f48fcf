"""`config.workerinput` that notices reads of what differs from worker to worker.

Plugins keep references to the mapping, so it stays the same object: it is watched until the fork, then updated in
place and made inert by exchanging its class. `__iter__` is defined although it adds nothing: CPython copies a dict
subclass behind its back (`dict(x)`, `**x`, `{} | x`) unless it has one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class WorkerInput(dict):  # type: ignore[type-arg]
    """A worker's input after the fork: a dict that pickles and copies as one."""

    watch_keys: set[str]
    watch_listener: Callable[[int, str | None], None]

    def __reduce_ex__(self, _protocol: Any) -> tuple[type, tuple[dict[str, Any]]]:
        return dict, (dict(self),)

    def copy(self) -> dict[str, Any]:
        return dict(self)


class WatchedInput(WorkerInput):
    """A worker's input before the fork."""

    def _one(self, key: object) -> None:
        if isinstance(key, str) and key in self.watch_keys:
            self.watch_listener(2, key)

    def _all(self) -> None:
        if not self.watch_keys.isdisjoint(dict.keys(self)):
            self.watch_listener(2, None)

    def __getitem__(self, key: Any) -> Any:
        self._one(key)
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[Any]:
        return super().__iter__()

    def get(self, key: Any, default: Any = None) -> Any:
        self._one(key)
        return super().get(key, default)

    def pop(self, key: Any, *default: Any) -> Any:
        self._one(key)
        return super().pop(key, *default)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        self._one(key)
        return super().setdefault(key, default)

    def popitem(self) -> tuple[Any, Any]:
        self._all()
        return super().popitem()

    def items(self) -> Any:
        self._all()
        return super().items()

    def values(self) -> Any:
        self._all()
        return super().values()

    def copy(self) -> dict[str, Any]:
        self._all()
        return {key: dict.__getitem__(self, key) for key in dict.keys(self)}

    def __repr__(self) -> str:
        self._all()
        return repr(self._plain())

    def __eq__(self, other: object) -> bool:
        self._all()
        return self._plain() == other

    def __ne__(self, other: object) -> bool:
        self._all()
        return self._plain() != other

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: Any) -> Any:
        self._all()
        return {**self._plain(), **other} if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        self._all()
        return {**other, **self._plain()} if isinstance(other, dict) else NotImplemented

    def __reduce_ex__(self, _protocol: Any) -> tuple[type, tuple[dict[str, Any]]]:
        self._all()
        return dict, (self._plain(),)

    def _plain(self) -> dict[str, Any]:
        return {key: dict.__getitem__(self, key) for key in dict.keys(self)}


def watched(source: dict[str, Any], keys: set[str], listener: Callable[[int, str | None], None]) -> WatchedInput:
    """`source` as a watched mapping; `listener` gets its distance to the reader and the key, None for the whole."""
    made = WatchedInput(source)
    made.watch_keys = keys
    made.watch_listener = listener
    return made


def release(mapping: WatchedInput) -> None:
    """Stop watching, in place."""
    mapping.__class__ = WorkerInput
