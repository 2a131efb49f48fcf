"""Plugins whose worker half speaks to its other half over a connection of its own, from configure on.

The collector's connection is closed before the first fork: one that nobody uses holds up a server that hears one client
after the other. Each worker makes its own, from the same values of `config.workerinput`, and puts it where the plugin
looks for it. What cannot be made again so is not touched here, and stays evidence against forking.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..safe_text import attribute
from .context import Worker


class Client(NamedTuple):
    """A row: where the plugin keeps its end, the class of that, and by argument the value that it is made of."""

    holder: Callable[[Any], Any]
    name: str
    kind: str
    values: dict[str, str]


CLIENTS: tuple[Client, ...] = (
    # pytest-rerunfailures: how often a test was run, which outlives a worker.
    Client(
        lambda config: config,
        "failures_db",
        "pytest_rerunfailures.ClientStatusDB",
        {"sock_port": "sock_port", "token": "statusdb_token"},
    ),
    # pytest-retry: lines of its report.
    Client(
        lambda _config: attribute(sys.modules.get("pytest_retry.retry_plugin"), "retry_manager"),
        "reporter",
        "pytest_retry.server.ClientReporter",
        {"port": "server_port"},
    ),
)


def descriptors(config: Any) -> set[int]:
    """The descriptors of connections that every worker makes anew."""
    found = set()
    for row in CLIENTS:
        client = _client(config, row)
        if client is not None:
            found.add(int(client.sock.fileno()))
    return found


def close(config: Any) -> None:
    """In the collector: nobody uses them from here on."""
    for row in CLIENTS:
        client = _client(config, row)
        if client is not None:
            client.sock.close()


def connect(worker: Worker) -> None:
    """Make this worker's own."""
    config = worker.config
    for row in CLIENTS:
        client = _client(config, row)
        if client is not None:
            made = type(client)(**{name: config.workerinput[key] for name, key in _values(config, row, type(client))})
            setattr(row.holder(config), row.name, made)


def _client(config: Any, row: Client) -> Any:
    """The plugin's end, if it has one that can be made again."""
    client = attribute(row.holder(config), row.name)
    kind = type(client)
    if f"{kind.__module__}.{kind.__qualname__}" != row.kind or attribute(client, "sock") is None:
        return None
    try:
        return client if list(_values(config, row, kind)) else None
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _values(config: Any, row: Client, kind: type) -> Iterator[tuple[str, str]]:
    """Pairs of an argument and the key of its value; `LookupError` for an argument that is not known."""
    for name, parameter in inspect.signature(kind).parameters.items():
        key = row.values.get(name)
        if key in config.workerinput:
            yield name, key
        elif parameter.default is parameter.empty:
            raise LookupError(name)
