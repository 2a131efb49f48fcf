"""The table at the end."""

from __future__ import annotations

from typing import List

from setting import Row

HEAD = Row("work", "environment", "target", "figure")


class Table:
    """Rows in the order in which they came."""

    def __init__(self) -> None:
        self.rows: List[Row] = []

    def add(self, row: Row) -> None:
        """Take a row."""
        self.rows.append(row)

    def text(self) -> str:
        """All rows, in columns, and how many targets are met."""
        cells = [[row.work, row.env, row.target, row.figure, verdict(row)] for row in self.rows]
        cells.insert(0, [HEAD.work, HEAD.env, HEAD.target, HEAD.figure, "met"])
        widths = [max(len(line[column]) for line in cells) for column in range(5)]
        cells.insert(1, ["-" * width for width in widths])
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |" for line in cells]
        judged = [row for row in self.rows if row.met is not None]
        met = sum(1 for row in judged if row.met)
        return "\n".join([*lines, "", f"{met} of {len(judged)} targets met"])


def verdict(row: Row) -> str:
    """The last cell."""
    if row.met is None:
        return ""
    return "yes" if row.met else "NO"
