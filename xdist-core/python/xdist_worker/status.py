"""Asks pytest what a report counts as.

`pytest_report_teststatus` is a hook like others: plugins answer it, and some change the report on the way (a test
whose subtests failed becomes failed here). It may raise or answer nonsense; then the report counts as failed, and the
traceback is told.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any, NamedTuple

from .safe_text import attribute, text


class Status(NamedTuple):
    """What a report counts as, and how it is shown."""

    category: str
    letter: str
    word: str
    markup: list[str]
    # What went wrong when the hook was asked, as text, or None.
    trouble: str | None = None


def usual(when: object, outcome: object) -> Status:
    """Return what pytest itself says of a report of this phase and outcome without marks and plugins."""
    if outcome == "passed":
        return Status("passed", ".", "PASSED", []) if when == "call" else Status("", "", "", [])
    if outcome == "skipped":
        return Status("skipped", "s", "SKIPPED", [])
    if outcome == "failed" and when in ("collect", "setup", "teardown"):
        return Status("error", "E", "ERROR", [])
    word = text(outcome)
    return Status(word, "F", word.upper(), [])


def ask(config: Any, report: Any) -> Status:
    """Return what the hook says of `report`; it may change the report."""
    try:
        answer = config.hook.pytest_report_teststatus(report=report, config=config)
        if answer is None:
            return usual(attribute(report, "when"), attribute(report, "outcome"))
        return _checked(answer)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        trouble = "pytest_report_teststatus raised:\n" + "".join(map(text, lines))
        return usual(attribute(report, "when"), "failed")._replace(trouble=trouble)


def _checked(answer: Sequence[Any]) -> Status:
    category, letter, word = answer
    markup: list[str] = []
    if isinstance(word, tuple):
        word, styles = word
        markup = [text(name) for name, on in dict(styles).items() if on]
    return Status(text(category), text(letter), text(word), markup)


class Implementations:
    """Watches who implements the hook: as long as only pytest does, plain passes need not ask."""

    def __init__(self, config: Any) -> None:
        self._caller = config.hook.pytest_report_teststatus
        self._count = -1
        self._only_pytest = False

    def only_pytest(self) -> bool:
        """Return whether nobody but pytest itself implements the hook at present."""
        found = self._caller.get_hookimpls()
        if len(found) != self._count:
            self._count = len(found)
            self._only_pytest = all(is_pytest(impl.plugin) for impl in found)
        return self._only_pytest


def is_pytest(plugin: Any) -> bool:
    """Return whether a plugin is one of pytest's own."""
    name = attribute(plugin, "__name__") or type(plugin).__module__
    return isinstance(name, str) and (name == "_pytest" or name.startswith("_pytest."))
