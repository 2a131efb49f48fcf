"""Values come back as they were; any bytes are a value or a LoadError."""

from __future__ import annotations

import collections
import enum
import math
import random

import pytest

from execnet_endpoint import values
from execnet_endpoint.values import DEPTH, DumpError, LoadError, dumps, loads

NUMBERS = [sign * ((1 << bits) + near) for bits in range(0, 130, 3) for near in (-1, 0, 1) for sign in (-1, 1)]
COLLECTIONS = [
    [],
    (),
    set(),
    frozenset(),
    {},
    [1, (2, [3]), {4}, frozenset([(5, 6)]), {"a": b"b", None: 1.5, (1, 2): [True, False]}],
    list(range(70000)),
    dict.fromkeys(range(70000)),
    tuple("abc"),
    {("x",): {"y": ({"z"},)}},
]
PLAIN = [None, True, False, 0.0, -1.5, math.inf, 1 + 2j, "", "é" * 31, "€" * 300, "x" * 70000]
TEXTS = ["\ud800", "a\udcffb", "\U0001f600", "\ud83d\ude00"]
BYTES = [b"", b"\0" * 255, b"\xff" * 256, b"a" * 65535, b"b" * 70000]


@pytest.mark.parametrize("value", NUMBERS + COLLECTIONS + PLAIN + TEXTS + BYTES, ids=lambda value: repr(value)[:20])
def test_values_come_back(value: object) -> None:
    back = loads(dumps(value))
    assert back == value
    assert type(back) is type(value)


def test_types_inside_of_values_come_back() -> None:
    back = loads(dumps([True, 1, 1.0, (1,), [1], b"1", "1"]))
    assert [type(item) for item in back] == [bool, int, float, tuple, list, bytes, str]


def test_not_a_number_and_the_sign_of_zero_come_back() -> None:
    assert math.isnan(loads(dumps(math.nan)))
    assert math.copysign(1, loads(dumps(-0.0))) == -1


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    def __str__(self) -> str:
        return "something else"

    def encode(self, *args: object) -> bytes:  # type: ignore[override]
        raise AssertionError


class Real(float):
    def __float__(self) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Level.HIGH, 3),
        (Text("text"), "text"),
        (Real(2.5), 2.5),
        (collections.namedtuple("Pair", "a b")(1, 2), (1, 2)),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
    ],
    ids=repr,
)
def test_subclasses_travel_as_their_bases(value: object, plain: object) -> None:
    back = loads(dumps(value))
    assert back == plain
    assert type(back) is type(plain)


@pytest.mark.parametrize("value", [object(), [object()], {1: print}, bytearray(b"a"), int])
def test_what_cannot_be_sent_is_named(value: object) -> None:
    with pytest.raises(DumpError, match="cannot send an object of type"):
        dumps(value)


def nested(levels: int) -> object:
    value: object = None
    for _ in range(levels):
        value = [value]
    return value


def test_depth_is_limited_on_both_sides() -> None:
    assert loads(dumps(nested(DEPTH))) == nested(DEPTH)
    with pytest.raises(DumpError, match="nests deeper"):
        dumps(nested(DEPTH + 1))
    with pytest.raises(LoadError, match="nests too deep"):
        loads(b"\x91" * 100000)


def test_a_list_in_itself_is_refused() -> None:
    ring: list[object] = []
    ring.append(ring)
    with pytest.raises(DumpError, match="nests deeper"):
        dumps(ring)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\1\2", b"\xa1\xff", b"\xd4c\0", b"\xdd\xff\xff\xff\xff\xc0", b"\x81\x90\1", b"\xc7\3\3\x91\1\2"],
)
def test_what_is_no_value_is_refused(data: bytes) -> None:
    with pytest.raises(LoadError):
        loads(data)


def test_any_bytes_are_a_value_or_an_error() -> None:
    chance = random.Random(1)
    samples = [dumps(value) for value in COLLECTIONS[:6] + PLAIN[:8] + TEXTS]
    for _ in range(20000):
        data = bytearray(chance.choice(samples))
        for _ in range(chance.randrange(1, 4)):
            at, noise = chance.randrange(len(data)), [chance.randrange(256) for _ in range(chance.randrange(1, 6))]
            data[at : at + chance.randrange(3)] = bytes(noise)
        try:
            loads(bytes(data))
        except LoadError:
            pass


def test_channels_travel_as_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Channel:
        number = 70000

    monkeypatch.setattr(values, "_WRITERS", dict(values._WRITERS))
    monkeypatch.setattr(values, "_channel_of", values._channel_of)
    with pytest.raises(LoadError):
        loads(b"\xd6\x07\0\0\0\1")
    channel = Channel()
    values.carry_channels(Channel, lambda channel: channel.number, {70000: channel}.__getitem__)
    assert loads(dumps([channel])) == [channel]
