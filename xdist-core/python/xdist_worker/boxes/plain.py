"""Boxes in a session that is pytest itself, without workers: for tests with the mark.

Everything that pytest shows is shown by this process, as ever; a box only runs the test. The hooks around pytest's
protocol of a test run here and, as they may set timers and the like, in the box once more.
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

import pytest

from ..host.retold import warning_of
from ..portable import pack, unpack
from ..warnings_ import describe_warning
from . import wanted
from .protocol import Boxes


class PlainBoxes:
    """A plugin of the session; also the one whom its boxes tell."""

    def __init__(self) -> None:
        self._boxes: Optional[Boxes] = None
        self._link: Any = None

    @pytest.hookimpl(trylast=True, hookwrapper=True)
    def pytest_runtestloop(self, session: Any) -> Any:
        """Set up boxes if any test asks for one."""
        config = session.config
        if not config.option.collectonly and wanted(config, session.items):
            self._boxes = Boxes(config, session, self)
            self._boxes.listen(self, hears_all=True)
        yield
        if self._boxes is not None:
            self._boxes.end()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: Any, nextitem: Any) -> Optional[bool]:
        """Run a test in a box."""
        boxes = self._boxes
        if boxes is None or self._link is not None or boxes.prepares(item) or not boxes.wants(item):
            return None
        boxes.run(item, nextitem)
        return True

    def pytest_runtest_logreport(self, report: Any) -> None:
        """In a box: pass a report on."""
        if self._link is not None and self._boxes is not None:
            self._boxes.report_in_box(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str) -> None:
        """In a box: pass a warning on."""
        if self._link is not None:
            self._link.send_frame(pack((describe_warning(warning_message), when, nodeid)))

    # What boxes tell.

    def enter_box(self, link: Any) -> None:
        """This process is a box."""
        self._link = link

    def phase(self, phase: int) -> None:
        """Nobody asks."""

    def session_ends(self, error: BaseException) -> None:
        """It is raised again in the session."""

    def leave_box(self) -> None:
        """Everything was told at once."""

    def pass_on(self, frame: bytes) -> None:
        """A warning of the box."""
        described, when, nodeid = unpack(frame)
        assert self._boxes is not None
        self._boxes.tell_warning(warning_of(described), when, nodeid)

    def passed(self, seconds: Tuple[float, float, float]) -> None:
        """Not used: the terminal hears of every report."""

    def end_was_told(self) -> None:
        """pytest tells it."""

    def box_died(self, report: Any, how: str, output: str, elapsed: float) -> None:
        """As any failure."""
