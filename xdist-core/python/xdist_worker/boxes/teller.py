"""Between a worker's hooks and its boxes: what a box says otherwise than by reports, and what the controller hears."""

from __future__ import annotations

from typing import Any, Tuple

import pytest

from .protocol import Boxes


class WorkerTeller:
    """Speaks for one worker; the methods before `pass_on` run in a box."""

    def __init__(self, hooks: Any, run: Any) -> None:
        self._hooks = hooks
        self._run = run

    def enter_box(self, link: Any) -> None:
        """This process is a box: everything goes through `link`."""
        self._run.link = link
        self._hooks.become_box()

    def phase(self, phase: int) -> None:
        """What is being done."""
        self._run.page.phase(phase)

    def session_ends(self, error: BaseException) -> None:
        """The test ends the session."""
        excinfo = pytest.ExceptionInfo.from_exc_info((type(error), error, error.__traceback__))
        self._run.tell_end_of_session(excinfo)

    def leave_box(self) -> None:
        """The test is over."""
        self._hooks.tell_warnings()

    def pass_on(self, frame: bytes) -> None:
        """A frame of the box goes to the controller, after the reports of its test."""
        self._hooks.tell_later(frame)

    def passed(self, seconds: Tuple[float, float, float]) -> None:
        """The test passed with nothing to say, and no other plugin is told of it."""
        self._hooks.passed_in_box(seconds)

    def end_was_told(self) -> None:
        """What ends the session is among those frames."""
        self._run.end_told = True

    def box_died(self, report: Any, how: str, output: str, elapsed: float) -> None:
        """The controller makes a verdict of it; as `report` only plugins hear of it."""
        self._hooks.tell_box_died(report, {"how": how, "output": output, "elapsed": elapsed})


def boxes_of_worker(hooks: Any, run: Any, session: Any) -> Boxes:
    """The boxes of a worker whose plugin is `hooks`."""
    boxes = Boxes(run.config, session, WorkerTeller(hooks, run), run.folder(), run.link.path)
    boxes.listen(hooks, run.last_words)
    return boxes
