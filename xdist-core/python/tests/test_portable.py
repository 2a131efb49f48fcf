"""Values between interpreters: what is plain arrives as it is, and nothing is refused."""

from __future__ import annotations

import collections
import enum
import types
from pathlib import Path

import pytest

from xdist_worker.portable import is_plain, pack, plain, unpack


class Text(str):
    def __str__(self):
        raise RuntimeError("no text of this")


class Number(enum.IntEnum):
    ONE = 1


class Raising:
    def __repr__(self):
        raise RuntimeError("no repr of this")

    def __getattr__(self, name):
        raise RuntimeError(name)


class RaisingMapping(collections.abc.Mapping):
    def __getitem__(self, key):
        raise RuntimeError(key)

    def __iter__(self):
        raise RuntimeError("no keys")

    def __len__(self):
        return 3


PLAIN = [
    None,
    True,
    0,
    -(2**200),
    1.5,
    float("inf"),
    1j,
    "",
    "lone \udcff surrogate",
    b"\xff",
    (),
    (1, [2, {"x": {"y": (3,)}}]),
    {1: "a", None: [], (1, 2): {3, 4}},
    frozenset("ab"),
    [[], {}, set()],
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_arrive_as_they_are(value):
    arrived = unpack(pack(value))
    assert arrived == value
    assert type(arrived) is type(value)
    assert is_plain(value)


def test_what_is_no_number_stays_none():
    assert str(unpack(pack(float("nan")))) == "nan"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("sub"), "sub"),
        (Number.ONE, 1),
        (Path("a/b"), "a/b"),
        (bytearray(b"x"), b"x"),
        (memoryview(b"x"), b"x"),
        (collections.OrderedDict(a=Text("b")), {"a": "b"}),
        (collections.namedtuple("Point", "x y")(1, Number.ONE), (1, 1)),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        ([Number.ONE, {Text("k"): Path("v")}], [1, {"k": "v"}]),
        ({"kept": 1, "odd": int}, {"kept": 1, "odd": "<class 'int'>"}),
        ({Text("a"), "b"}, {"a", "b"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_others_become_what_they_are_based_on(value, expected):
    arrived = unpack(pack(value))
    assert arrived == expected and type(arrived) is type(expected)


@pytest.mark.parametrize(
    "value",
    [Raising(), object(), RaisingMapping(), {"a": Raising()}, [RaisingMapping()], {Raising(): 1}, lambda: 0],
    ids=lambda value: type(value).__name__,
)
def test_nothing_is_refused(value):
    assert unpack(pack(value)) is not None
    assert not is_plain(value)


def test_nesting_has_an_end():
    knot: list = [Number.ONE]
    knot.append(knot)
    assert "nested too deeply" in repr(plain(knot))
    deep: object = object()
    for _ in range(5000):
        deep = [deep]
    assert "nested too deeply" in repr(unpack(pack(deep)))


def test_nothing_at_all():
    assert unpack(b"") is None
