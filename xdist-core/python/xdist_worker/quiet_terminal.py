"""Leaves a worker pytest's terminal reporter, but no longer lets it follow the session.

Plugins and pytest itself look the reporter up to write to it or to highlight with it (the explanation of a failed
assertion is highlighted while the test runs), so it must be there; its hooks would print a second account of the run
and cost time with every test. What is written to it goes where it would have gone.
"""

from __future__ import annotations

from typing import Dict

from .safe_text import attribute, integer

_NAME = "terminalreporter"


class QuietTerminal:
    """Stands where the reporter was registered; has no hooks of its own and passes everything else on."""

    def __init__(self, reporter: object) -> None:
        object.__setattr__(self, "_reporter", reporter)

    def __getattr__(self, name: str) -> object:
        return getattr(object.__getattribute__(self, "_reporter"), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._reporter, name, value)


def quieten(config: object, rendering: Dict[str, object]) -> None:
    """Unhook the terminal reporter of a configured session and give it the width and colours of the run.

    To be called after configure, before the session starts; does nothing without a reporter.
    """
    manager = config.pluginmanager  # type: ignore[attr-defined]
    reporter = manager.get_plugin(_NAME)
    if reporter is None or isinstance(reporter, QuietTerminal):
        return
    writer = attribute(reporter, "_tw")
    if writer is not None:
        writer.hasmarkup = bool(rendering.get("color"))  # type: ignore[attr-defined]
        writer.fullwidth = integer(rendering.get("width"), 80) or 80  # type: ignore[attr-defined]
    manager.unregister(reporter)
    manager.register(QuietTerminal(reporter), _NAME)
