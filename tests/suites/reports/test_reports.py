"""Reports that a careless encoding loses: the outcome must stay what serial pytest says."""

from __future__ import annotations

import enum
import sys

import pytest


class Text(str):
    pass


class Number(enum.IntEnum):
    ONE = 1


class Unprintable:
    def __repr__(self):
        raise ValueError("no repr for you")


class UnprintableError(Exception):
    def __str__(self):
        raise ValueError("no text for you")

    __repr__ = __str__


def test_surrogate_in_message():
    raise AssertionError("lone \ud800 surrogate")


def test_surrogate_in_output():
    sys.stdout.buffer.write(b"\xff\xfe bytes\n")
    raise AssertionError("see the output")


def test_surrogate_in_skip():
    pytest.skip("skip \udfff")


@pytest.mark.xfail(reason="xfail \udc80")
def test_surrogate_in_xfail():
    raise AssertionError


def test_nul_in_message():
    raise AssertionError("nul \0 escape \x1b bell \a")


@pytest.mark.parametrize("passing", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        object(),
        -(2**40),
        2**100,
        -(2**70),
        Text("sub"),
        Number.ONE,
        {1: object()},
        {"a"},
        b"\xff",
        1.5,
        float("nan"),
        None,
        (1, [2, {"x": object}]),
        "sur\ud800rogate",
        Unprintable,
    ],
    ids=lambda value: "v" if not isinstance(value, bool) else str(value),
)
def test_property(record_property, value, passing):
    record_property("value", value)
    assert passing


def test_exception_without_repr():
    raise UnprintableError


def test_locals_without_repr():
    local = Unprintable()
    assert local is None


def test_str_subclass_message():
    raise AssertionError(Text("a str subclass"))


def test_user_attribute(request):
    request.node.user_properties.append((Text("k"), object()))
    raise AssertionError


def test_big_message():
    raise AssertionError("x" * 3_000_000)


def test_exception_chain():
    try:
        raise KeyError("first \ud800")
    except KeyError as error:
        raise ValueError("second") from error


def test_base_exception():
    class Odd(BaseException):
        pass

    raise Odd("not an Exception")


def test_generator_exit():
    raise GeneratorExit
