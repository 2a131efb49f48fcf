"""`--dist=each` as pytest's own reporter shows it, who knows one result of a test: progress, order of failures."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Set


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


def _number(report: Any) -> int:
    worker = getattr(report, "worker_id", "")
    return int(worker[2:]) if worker[2:].isdigit() else -1
