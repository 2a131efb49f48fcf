"""What workers measured in copies of the sources, told as measured in what they are copies of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..safe_text import attribute


def measured_here(config: Any, copies: Sequence[Sequence[str]]) -> None:
    """Have pytest-cov combine the data of copies with those of here. `copies` are a directory and what it is a copy of.

    pytest-cov tells one of its measurements where workers were, and combines with another one. Neither knows of sources
    outside of the directory that it was started in.
    """
    controller = attribute(config.pluginmanager.getplugin("_cov"), "cov_controller")
    for name in ("cov", "combining_cov"):
        paths = attribute(attribute(attribute(controller, name), "config"), "paths")
        if isinstance(paths, dict):
            # The first that fits counts.
            before = list(paths.items())
            paths.clear()
            paths.update({f"xdist {number}": [here, there] for number, (there, here) in enumerate(copies)})
            paths.update(before)
