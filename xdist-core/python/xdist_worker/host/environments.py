"""Several environments in pytest's own reporter, who knows one: progress, order of failures, short summary."""

from __future__ import annotations

import copy
from typing import Any, Dict, List, Optional, Sequence, Set


class Pairs(Set[Any]):
    """Tests that are over, once for each worker that has run them: pytest's reporter adds node ids, and counts."""

    worker = ""

    def add(self, nodeid: Any) -> None:
        """A test is over on the worker that is spoken of."""
        super().add((self.worker, nodeid))


def count_pairs(terminal: Any) -> Optional[Pairs]:
    """Have the reporter's progress count each worker's tests; `None` if it counts otherwise."""
    if type(getattr(terminal, "_progress_nodeids_reported", None)) is not set:
        return None
    pairs = terminal._progress_nodeids_reported = Pairs()
    return pairs


def group_failures(terminal: Any, ids: List[str]) -> None:
    """What failed in several places stands together, in the order of collection."""
    places: Dict[str, int] = {nodeid: number for number, nodeid in enumerate(ids)}
    for category in ("failed", "error"):
        reports = getattr(terminal, "stats", {}).get(category)
        if reports:
            # Stable, so that errors of collectors come first, and a test's reports of one worker keep their order.
            reports.sort(key=lambda report: (places.get(report.nodeid, -1), _number(report)))


def label_summary(terminal: Any, labels: Sequence[str]) -> None:
    """Have the short summary say where a test failed, by the number of its worker.

    What it reads are copies of the reports: everybody else finds those, and node ids in them, as they are.
    """
    summary = getattr(terminal, "short_test_summary", None)
    if not labels or summary is None:
        return

    def labelled() -> None:
        stats = terminal.stats
        terminal.stats = {
            category: [_labelled(report, labels) for report in reports] if isinstance(reports, list) else reports
            for category, reports in stats.items()
        }
        try:
            summary()
        finally:
            terminal.stats = stats

    terminal.short_test_summary = labelled


def _labelled(report: Any, labels: Sequence[str]) -> Any:
    number = _number(report)
    if not 0 <= number < len(labels) or not labels[number]:
        return report
    shown = copy.copy(report)
    shown.nodeid = f"{report.nodeid} [{labels[number]}]"
    # Plugins are asked for these words, and are shown the report itself.
    for name in ("_get_verbose_word", "_get_verbose_word_with_markup"):
        if hasattr(report, name):
            setattr(shown, name, getattr(report, name))
    return shown


def _number(report: Any) -> int:
    worker = getattr(report, "worker_id", "")
    return int(worker[2:]) if worker[2:].isdigit() else -1
