"""The schedulers of pytest-xdist by name, so that conftests which subclass them load.

The xdist program deals out tests by itself. Objects of these classes say by their names which mode is meant, and those
that keep tests together, which tests those are: a `_split_scope` that somebody overrides is asked.
"""

from __future__ import annotations

from typing import Any

from xdist.remote import Producer


class Scheduling:
    """What all schedulers have: the configuration of the controller's side, a log, and how many workers there are."""

    def __init__(self, config: Any, log: Any = None) -> None:
        self.config = config
        self.log = Producer(type(self).__name__) if log is None else getattr(log, type(self).__name__.lower())
        self.numnodes = len(getattr(config.option, "tx", None) or ())


class LoadScheduling(Scheduling):
    """Each test to whoever is free."""


class WorkStealingScheduling(Scheduling):
    """An equal share to everybody; who is done takes from others."""


class EachScheduling(Scheduling):
    """All tests to every worker."""


class LoadScopeScheduling(Scheduling):
    """The tests of a class, or else of a module, together."""

    def _split_scope(self, nodeid: str) -> str:
        """The name of what a test belongs to."""
        return nodeid.rpartition("::")[0] or nodeid


class LoadFileScheduling(LoadScopeScheduling):
    """The tests of a file together."""

    def _split_scope(self, nodeid: str) -> str:
        """The file of a test."""
        return nodeid.partition("::")[0]


class LoadGroupScheduling(LoadScopeScheduling):
    """The tests of a group together; a test of no group is alone."""

    def _split_scope(self, nodeid: str) -> str:
        """The group of a test, which follows its node id after an at sign."""
        _, at, group = nodeid.rpartition("@")
        return group if at and "]" not in group else nodeid


__all__ = [
    "EachScheduling",
    "LoadFileScheduling",
    "LoadGroupScheduling",
    "LoadScheduling",
    "LoadScopeScheduling",
    "Scheduling",
    "WorkStealingScheduling",
]
