"""Lets pytest render a failure as it would print it, into text instead of onto a terminal.

The writer is pytest's own `TerminalWriter`, set up as `create_terminal_writer` sets it up for this run, on a file
that takes UTF-8 only: what pytest does about text that a terminal cannot show happens here too. Total: a failure that
cannot be rendered becomes something that says so.
"""

from __future__ import annotations

import io
from typing import Any

from _pytest._io import TerminalWriter

from .safe_text import attribute, integer, text


class Renderer:
    """Renders failures for one run: width, colours and `--tb` are settled."""

    def __init__(self, config: Any, width: int, color: bool) -> None:
        option = getattr(config, "option", None)
        self.width = width if width > 0 else 80
        self.color = color
        self.tbstyle = str(getattr(option, "tbstyle", "auto"))
        self._highlight = getattr(option, "code_highlight", "yes") != "no"

    def both(self, report: Any) -> tuple[str, str]:
        """Return the failure with the run's colours, and without; the second is empty where the first has none."""
        if not self.color:
            return self.plain(report), ""
        try:
            colored = self._toterminal(report, True)
        except KeyboardInterrupt:
            raise
        except BaseException:
            return self.plain(report), ""
        plain = self.plain(report)
        return colored, ("" if plain == colored else plain)

    def plain(self, report: Any) -> str:
        """Return the failure without colours."""
        try:
            return self._toterminal(report, False)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return self._in_need(report, error)

    def crash_line(self, report: Any) -> str:
        """Return the line that `--tb=line` prints for the failure."""
        longrepr = attribute(report, "longrepr")
        try:
            return text(str(longrepr.reprcrash))
        except AttributeError:
            return text(longrepr)[:50]
        except Exception as error:
            return f"<unprintable location: {type(error).__name__}>"

    def _toterminal(self, report: Any, color: bool) -> str:
        data = io.BytesIO()
        file = io.TextIOWrapper(data, encoding="utf-8", newline="\n")
        writer = TerminalWriter(file)
        writer.hasmarkup = color
        writer.code_highlight = self._highlight
        writer.fullwidth = self.width
        report.toterminal(writer)
        file.flush()
        return data.getvalue().decode("utf-8")

    def _in_need(self, report: Any, error: BaseException) -> str:
        longrepr = attribute(report, "longrepr")
        crash = attribute(longrepr, "reprcrash")
        notice = f"<pytest could not render this failure: {type(error).__name__}: {text(error)}>\n"
        if crash is not None:
            place = f"{text(attribute(crash, 'path', '?'))}:{text(attribute(crash, 'lineno', '?'))}"
            return f"{place}: {text(attribute(crash, 'message', ''))}\n{notice}"
        return f"{text(longrepr)}\n{notice}"


class _Place:
    """Where an interrupt came from, as pytest shows it beneath its closing line."""

    def __init__(self, excinfo: Any, full: bool) -> None:
        self._excinfo = excinfo
        self._full = full

    def toterminal(self, writer: Any) -> None:
        """Print it."""
        # The place is the same in all styles; this one costs least.
        shown = self._excinfo.getrepr(funcargs=True, style="long" if self._full else "native")
        if self._full:
            shown.toterminal(writer)
        elif shown.reprcrash is not None:
            shown.reprcrash.toterminal(writer)
            writer.line("(to show a full traceback on KeyboardInterrupt use --full-trace)", yellow=True)


def end_of_session(config: Any, excinfo: Any, rendering: dict[str, object]) -> dict[str, str]:
    """Return why a session ends before its time, in pytest's words, and what pytest prints beneath them."""
    reason = excinfo.exconly(tryshort=True)
    detail = ""
    if "KeyboardInterrupt" in reason:
        renderer = Renderer(config, integer(rendering.get("width"), 80), bool(rendering.get("color")))
        detail = renderer.both(_Place(excinfo, bool(config.getoption("fulltrace", False))))[0]
    return {"reason": reason, "detail": detail} if detail else {"reason": reason}


def match_terminal(config: Any, width: int, color: bool) -> None:
    """Give pytest's own terminal writer the width and colours of the run.

    pytest highlights the explanation of a failed assertion with it while the test runs; in a worker it does not know
    what terminal the run has.
    """
    writer = attribute(config.pluginmanager.get_plugin("terminalreporter"), "_tw")
    if writer is not None:
        writer.hasmarkup = color
        writer.fullwidth = width


def crash_of(longrepr: Any) -> dict[str, object] | None:
    """Return `reprcrash` as data; a failure that is nothing but a string has its text as message and no place."""
    if isinstance(longrepr, str):
        return {"message": longrepr}
    crash = attribute(longrepr, "reprcrash")
    if crash is None:
        return None
    return {
        "path": text(attribute(crash, "path", "")),
        "lineno": integer(attribute(crash, "lineno", 0)),
        "message": attribute(crash, "message", ""),
    }
