"""What the host's terminal shows of a run that was stopped, as xdist's own reporter shows it without a host."""

from __future__ import annotations

from typing import Any, Iterator, List, Tuple

import pytest

# Tests listed by name at most.
_LISTED = 20


class Results:
    """Shows results by environment, below all else that pytest sums up."""

    def __init__(self, lines: List[str]) -> None:
        self._lines = lines

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Iterator[None]:
        """After everybody else."""
        yield
        for line in self._lines:
            terminalreporter.write_line(line)


def show_interrupted(terminal: Any, tests: List[Tuple[str, str]]) -> None:
    """List the tests that were running when the user interrupted the run: node ids and workers."""
    if not tests:
        return
    plural = "" if len(tests) == 1 else "s"
    terminal.write_sep("=", f"xdist: {len(tests)} test{plural} interrupted", yellow=True)
    for nodeid, worker in tests[:_LISTED]:
        terminal.write("INTERRUPTED", yellow=True)
        terminal.write_line(f" {nodeid} ({worker})")
    if len(tests) > _LISTED:
        terminal.write_line(f"and {len(tests) - _LISTED} more")


def settle_place(terminal: Any, reason: str, detail: str) -> None:
    """Have the closing line of an interrupt name the place in the tests, which pytest looks for in this process."""

    def report() -> None:
        terminal.write_sep("!", reason)
        if detail:
            # Rendered by the worker, colours included.
            terminal.write(detail)

    if hasattr(terminal, "_report_keyboardinterrupt"):
        terminal._report_keyboardinterrupt = report
