"""The package under test is imported from the tree; projects are made in temporary directories."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, Callable, Iterator

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """Make a project out of file contents; returns its directory."""
    root = tmp_path / "project"

    def make(**files: str) -> Path:
        root.mkdir(exist_ok=True)
        (root / "pytest.ini").write_text("[pytest]\n")
        for name, text in files.items():
            stem, _, kind = name.rpartition("_")
            (root / f"{stem}.{kind}").write_text(dedent(text))
        return root

    return make


@pytest.fixture
def stand_in(request: Any) -> Iterator[Callable[..., Any]]:
    """Start a controller's stand-in for a project; ended with the test."""
    from stand_in import StandIn

    made = []

    def make(*args: Any, **kwargs: Any) -> Any:
        made.append(StandIn(*args, **kwargs))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()
