"""The table of repairs: what a fork leaves wrong, why, and the two functions that deal with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from . import (
    capture,
    connections,
    coverage,
    exits,
    faults,
    files,
    logs,
    memory,
    processes,
    rand,
    sessions,
    stdio,
    timers,
    title,
    tmp,
)
from .context import Worker


class Repair(NamedTuple):
    """A row: name, reason, what the collector does before its first fork, what a worker does after it."""

    name: str
    reason: str
    before: Callable[[Any], None] | None
    after: Callable[[Worker], None] | None


REPAIRS: tuple[Repair, ...] = (
    Repair("coverage", "a tracer that runs through the fork counts imports once a worker", coverage.pause, None),
    Repair("random", "generators are copied: keep a seeded state, renew one that never was", rand.save, rand.restore),
    Repair("temporary paths", "one base directory a worker, below the run's", tmp.make_base, tmp.own_base),
    Repair("logging", "log files share an offset", logs.append, None),
    Repair("faulthandler", "a timer thread does not survive, and cancelling it afterwards hangs", faults.cancel, None),
    Repair("timers", "interval timers do not survive", timers.save, timers.arm),
    Repair("title", "looked for once, before the fork", title.find, title.set_title),
    Repair("garbage", "collecting was off while importing and collecting tests", memory.grow_old, memory.resume_gc),
    Repair("exit handlers", "those of the collector run once, in the collector", None, exits.clear),
    Repair("capture", "siblings would write at one offset into one file", None, capture.renew),
    Repair("read-only files", "siblings would move one offset", None, files.own_offsets),
    Repair("connections", "siblings would share one to a plugin's other half", connections.close, connections.connect),
    Repair("processes", "a resource tracker belongs to one process", None, processes.reset),
    Repair("session", "counts and start times are a worker's own", None, sessions.reset),
    Repair("coverage data", "one data file a worker", None, coverage.resume),
    Repair("streams", "unwritten text would be written once a worker", stdio.flush_before, None),
)
"""In the order in which both sides run."""


def prepare(config: Any, session: Any) -> None:
    """In the collector, just before its first fork."""
    del session
    for row in REPAIRS:
        if row.before is not None:
            row.before(config)


def repair(config: Any, session: Any, identity: dict[str, Any]) -> None:
    """In a forked worker, before its first test; environment, worker input and standard streams are set already."""
    worker = Worker(config, session, identity)
    for row in REPAIRS:
        if row.after is not None:
            row.after(worker)
    hook = getattr(config.hook, "pytest_xdist_after_fork", None)
    if hook is not None:
        hook(config=config, worker_id=worker.id)
