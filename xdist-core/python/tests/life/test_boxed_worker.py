"""Boxes in a worker that is driven message by message: what the controller is told, and what is left of many."""

from __future__ import annotations

import os
from typing import Callable

import pytest
from stand_in import outcomes
from test_runs import forked

KINDS = """
    import os, warnings, pytest
    @pytest.fixture(scope="module")
    def wide():
        warnings.warn("wide")
        yield os.getpid()
    def test_passes(wide):
        assert wide == os.getppid()
    def test_warns(wide):
        warnings.warn("boxed")
    def test_dies(wide):
        print("last words", flush=True)
        os._exit(7)
    @pytest.mark.xfail(reason="known")
    def test_dies_as_expected():
        os._exit(8)
    def test_fails():
        assert 0
    """


def test_a_death_is_one_message_and_the_worker_goes_on(project: Callable, stand_in: Callable) -> None:
    controller = stand_in(project(test_a_py=KINDS))
    session = controller.collector("--boxed")
    (worker,) = forked(controller, session, 1)
    worker.send({"run": [0, 1, 2, 3, 4]})
    worker.send("no_more")
    controller.gone(worker)
    (died,) = worker.all("box_died")
    assert died[0] == 2 and died[1]["how"] == "exit code 7 in call" and died[1]["output"] == "last words"
    (expected,) = [data for index, data in worker.all("report") if index == 3 and data["when"] == "call"]
    assert expected["category"] == "xfailed" and expected["wasxfail"] == "known: the box died: exit code 8 in call"
    told = [warning["message"].strip().splitlines()[0].rpartition(": ")[2] for warning in worker.all("warning")]
    assert told == ["wide", "boxed"]
    assert outcomes(worker)[0] == outcomes(worker)[1] == "passed" and outcomes(worker)[4] == "failed"
    names = [name for name, _ in worker.said]
    assert names[names.index("box_died") + 1] == "started", "the next test begins when that is told"
    session.send("finish")
    controller.gone(session)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system does not list descriptors")
def test_nothing_is_left_of_many_boxes(project: Callable, stand_in: Callable) -> None:
    conftest = """
        import os, pytest
        @pytest.fixture(scope="module")
        def wide(request):
            yield
            with open(f"/proc/self/task/{os.getpid()}/children") as file:
                state = len(os.listdir("/proc/self/fd")), file.read()
            with open(request.module.__name__, "w") as file:
                file.write(repr(state))
        """
    test = """
        import os, pytest
        @pytest.mark.parametrize("n", range(80))
        def test_n(wide, n):
            if n % 50 == 7:
                os._exit(1)
        """
    root = project(conftest_py=conftest, test_a_py=test, test_b_py=test)
    controller = stand_in(root)
    session = controller.collector("--boxed")
    (worker,) = forked(controller, session, 1)
    worker.send({"run": list(range(160))})
    worker.send("no_more")
    controller.gone(worker)
    assert len(worker.all("box_died")) == 4
    # What is opened once is open after the first half.
    assert (root / "test_a").read_text() == (root / "test_b").read_text()
    session.send("finish")
    controller.gone(session)
