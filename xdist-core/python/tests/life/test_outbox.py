"""What a worker leaves in its outbox, and when it sends instead."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
from binascii import crc32
from pathlib import Path
from typing import Callable, List, Tuple

import pytest
from stand_in import PACKAGE, StandIn
from test_runs import one_worker

from xdist_worker import outbox
from xdist_worker.link import Link
from xdist_worker.outbox import SLOTS, Outbox

HEADER, RECORD = 64, 48
TESTS = 300

# Whatever is left from the sixth test on: by then the outbox may be used.
FAST = """
    import os, time, pytest
    @pytest.mark.parametrize("n", range(%d))
    def test_n(n):
        deadline = time.monotonic() + 60
        while n == 5 and not os.path.exists("go") and time.monotonic() < deadline:
            time.sleep(0.005)
    """


def allow(path: Path, records: int) -> None:
    with path.open("r+b") as file:
        file.write(struct.pack("<Q", records))


def records(path: Path) -> List[Tuple[int, int, int]]:
    """Frames before it, test and next test of each record that counts."""
    data = path.read_bytes()
    found: List[Tuple[int, int, int]] = []
    for at in range(HEADER, len(data), RECORD):
        number, sent, index, following, setup, call, teardown = struct.unpack_from("<QIIIddd", data, at)
        if number != len(found) + 1:
            break
        assert crc32(data[at : at + RECORD - 4]) == struct.unpack_from("<I", data, at + RECORD - 4)[0]
        assert min(setup, call, teardown) >= 0
        found.append((sent, index, following))
    return found


def test_a_record_is_the_one_that_the_controller_reads(tmp_path: Path) -> None:
    # The controller's own tests have the same bytes.
    box = Outbox(str(tmp_path / "box"))
    allow(tmp_path / "box", SLOTS)
    for _ in range(257):
        assert box.put(0, 0, 0, 0, 0, 0)
    assert box.put(7, 40_000, 0.125, 0.5, 2.0, 40_001)
    at = HEADER + 257 * RECORD
    assert (tmp_path / "box").read_bytes()[at : at + RECORD].hex() == (
        "020100000000000007000000409c0000419c0000000000000000c03f000000000000e03f00000000000000404bd03751"
    )


def test_nothing_is_written_without_leave(tmp_path: Path) -> None:
    path = tmp_path / "box"
    box = Outbox(str(path))
    before = path.read_bytes()
    assert not any(before) and not box.put(1, 2, 0.0, 0.0, 0.0, 3)
    assert path.read_bytes() == before
    allow(path, SLOTS)
    written = 0
    while box.put(1, written, 0.0, 0.0, 0.0, written + 1):
        written += 1
    assert written == SLOTS
    full = path.read_bytes()
    # The oldest was read: its place is free.
    allow(path, SLOTS + 1)
    assert box.put(1, 5, 0.0, 0.0, 0.0, 6) and not box.put(1, 5, 0.0, 0.0, 0.0, 6)
    changed = path.read_bytes()
    assert len(changed) == len(full) and changed[HEADER + RECORD :] == full[HEADER + RECORD :]
    assert struct.unpack_from("<QIII", changed, HEADER) == (SLOTS + 1, 1, 5, 6)


def test_where_there_is_no_room_there_is_no_outbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "box"
    monkeypatch.setattr(outbox.os, "write", lambda fd, data: len(data) // 2)
    with pytest.raises(OSError, match="no room"):
        Outbox(str(path))
    assert not path.exists()


def run_fast(controller: StandIn, *args: str) -> Tuple[List[Tuple[int, int, int]], List[Tuple[str, object]]]:
    """Records and messages of a worker that runs fast tests and may use its outbox."""
    worker = one_worker(controller, *args)
    worker.send({"run": list(range(TESTS))})
    worker.send("no_more")
    controller.until(lambda: worker.all("outbox") or worker.closed or len(worker.all("passed_next")) > 4)
    for path in worker.all("outbox"):
        allow(Path(path), SLOTS)
    (controller.project / "go").touch()
    controller.gone(worker)
    return [record for path in worker.all("outbox") for record in records(Path(path))], worker.said


def test_fast_tests_are_left_in_the_outbox(project: Callable, stand_in: Callable) -> None:
    left, said = run_fast(stand_in(project(test_a_py=FAST % TESTS)))
    assert len(left) > TESTS / 2
    passed = sorted([index for _, index, _ in left] + [f[0] for name, f in said if name.startswith("passed")])
    assert passed == list(range(TESTS))
    assert all(following == index + 1 for _, index, following in left)
    # Each record knows which frame comes next, and with that its place.
    for sent, index, _ in left:
        later = [fields[0] for name, fields in said[sent:] if name.startswith("passed")]
        earlier = [fields[0] for name, fields in said[:sent] if name.startswith("passed")]
        assert all(other > index for other in later) and all(other < index for other in earlier)
    assert said[-2][0] == "passed" and said[-1][0] == "ended"


@pytest.mark.parametrize("arguments", [["-s"], ["--capture=sys"]])
def test_what_tests_write_past_capturing_is_told_apart_by_frames(
    project: Callable, stand_in: Callable, arguments: List[str]
) -> None:
    left, said = run_fast(stand_in(project(test_a_py=FAST % TESTS)), *arguments)
    assert not left
    assert len([name for name, _ in said if name.startswith("passed")]) == TESTS


def test_what_is_unread_shows() -> None:
    here, there = socket.socketpair(socket.AF_UNIX)
    link = Link(here)
    assert link.can_tell_drained() and link.is_drained()
    os.write(link.fileno(), b"x")
    assert not link.is_drained()
    there.recv(1)
    assert link.is_drained()
    link.send("ready")
    assert not link.is_drained() and link.sent == 1
    there.close()
    link.close()
    assert not link.is_drained()


@pytest.mark.parametrize("disturb", ["os.close(fd)", "os.dup2(os.open(os.devnull, os.O_RDWR), fd)"])
def test_a_connection_that_is_gone_ends_the_process(disturb: str) -> None:
    script = f"""
import os, socket, sys
from xdist_worker.link import Link
link = Link(socket.socketpair(socket.AF_UNIX)[0])
link.on_broken = lambda: print("broken", flush=True)
fd = link.fileno()
{disturb}
link.is_drained()
print("goes on")
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=PACKAGE.parent, timeout=60)
    assert run.returncode == 1 and run.stdout == "broken\n", run
