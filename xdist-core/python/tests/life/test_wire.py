"""Every value can be sent, and comes back as what it means."""

from __future__ import annotations

import enum
from pathlib import Path

import pytest

from xdist_worker import wire


def back(value: object) -> object:
    return wire.decode(wire.encode(value))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        127,
        128,
        2**32 - 1,
        2**32,
        2**64 - 1,
        -1,
        -32,
        -33,
        -(2**63),
        0.0,
        -1.5,
        float("inf"),
        "",
        "a" * 31,
        "a" * 32,
        "ü" * 200,
        "x" * 70000,
        b"",
        b"\0" * 300,
        b"y" * 70000,
        [],
        list(range(15)),
        list(range(16)),
        list(range(70000)),
        {},
        {str(n): n for n in range(20)},
        {"a": [{"b": None}]},
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12]}",
)
def test_what_the_protocol_uses_survives(value: object) -> None:
    assert back(value) == value


class Loud(str):
    def __str__(self) -> str:
        raise ValueError("no")

    def encode(self, *args: object) -> bytes:
        raise ValueError("no")


class Colour(enum.IntEnum):
    RED = 3


class Mute:
    def __repr__(self) -> str:
        raise SystemExit("no")


class Odd:
    def __repr__(self) -> str:
        return 3  # type: ignore[return-value]


def test_anything_else_becomes_something() -> None:
    assert back("a\udc80b") == "a\\udc80b"
    assert back(2**64) == str(2**64)
    assert back(-(2**63) - 1) == str(-(2**63) - 1)
    assert back(1 << 100000) == hex(1 << 100000)
    assert back(Loud("loud")) == "loud"
    assert back(Colour.RED) == 3
    assert back((1, (2,))) == [1, [2]]
    assert back(Path("a/b")) == repr(Path("a/b"))
    assert back(bytearray(b"z")) == b"z"
    assert back(Mute()) == "<Mute object whose repr raised SystemExit>"
    assert back(Odd()) == "<Odd object whose repr raised TypeError>"
    assert back({1}) == [1]


def test_a_value_that_contains_itself_ends() -> None:
    ring: list = []
    ring.append(ring)
    assert "nested too deeply" in str(back(ring))


@pytest.mark.parametrize(
    "frame, message",
    [
        (wire.passed(7, 0.25, 1.5, 0.0), {"passed": [7, 0.25, 1.5, 0.0]}),
        (wire.passed_next(70000, 0.25, 1.5, 0.0, 70001), {"passed_next": [70000, 0.25, 1.5, 0.0, 70001]}),
        (wire.started(300), {"started": 300}),
        (wire.done(0), {"done": 0}),
    ],
)
def test_ready_made_frames_say_what_encoded_ones_say(frame: bytes, message: object) -> None:
    assert wire.announced(frame) == len(frame) - wire.PREFIX_SIZE
    assert wire.decode(frame[wire.PREFIX_SIZE :]) == message
    assert frame[:4] == (len(frame) - 8).to_bytes(4, "big")


@pytest.mark.parametrize("rubbish", [b"\0\0\0\x09\x81\xa6pa", b"\0" * 8, b"\xff" * 8, b"AAAAAAAA"])
def test_what_is_no_frame_is_found_out_by_its_beginning(rubbish: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.announced(rubbish)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\xa5ab", b"\x92\x01", b"\xcb\0", b"\x01\x01", b"\xa1\xff"])
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(data)
