"""MessagePack in pure Python, and the frames of the worker protocol. No I/O here.

Encoding is total: whatever a test, plugin or conftest put into a report becomes something that can be sent. Text with
lone surrogates is escaped, integers beyond 64 bits become text, subclasses count as their base, unknown objects become
their `repr`, and a `repr` that raises becomes a remark about that.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Set
from typing import Any, Callable, Dict, List, Tuple

_MAX_DEPTH = 64

_U8 = struct.Struct(">BB").pack
_U16 = struct.Struct(">BH").pack
_U32 = struct.Struct(">BI").pack
_U64 = struct.Struct(">BQ").pack
_I64 = struct.Struct(">Bq").pack
_F64 = struct.Struct(">Bd").pack

# What a frame begins with, as in execnet_rs::frame: the length of what follows, and that length XOR a constant, so that
# anything else that gets into the stream is found out at once.
_PREFIX = struct.Struct(">II")
_CHECK = 0x9ED3C5B7
PREFIX_SIZE = _PREFIX.size


def _prefix(size: int) -> bytes:
    return _PREFIX.pack(size, size ^ _CHECK)


def _ready(fields: str, head: bytes) -> Tuple[Callable[..., bytes], bytes]:
    """How to pack a whole frame, and what it begins with: the prefix and the variant's name."""
    layout = struct.Struct(f">{PREFIX_SIZE + len(head)}s{fields}")
    return layout.pack, _prefix(layout.size - PREFIX_SIZE) + head


# 0xce marks a 32-bit integer, 0xcb a double.
_PASSED, _PASSED_HEAD = _ready("BIBdBdBd", b"\x81\xa6passed\x94")
_PASSED_NEXT, _PASSED_NEXT_HEAD = _ready("BIBdBdBdBI", b"\x81\xabpassed_next\x95")
_STARTED, _STARTED_HEAD = _ready("BI", b"\x81\xa7started")
_DONE, _DONE_HEAD = _ready("BI", b"\x81\xa4done")


def passed(index: int, setup: float, call: float, teardown: float) -> bytes:
    """The frame of `passed`: a test passed with nothing to say."""
    return _PASSED(_PASSED_HEAD, 0xCE, index, 0xCB, setup, 0xCB, call, 0xCB, teardown)


def passed_next(index: int, setup: float, call: float, teardown: float, following: int) -> bytes:
    """The frame of `passed_next`: as `passed`, and the test `following` begins."""
    return _PASSED_NEXT(_PASSED_NEXT_HEAD, 0xCE, index, 0xCB, setup, 0xCB, call, 0xCB, teardown, 0xCE, following)


def started(index: int) -> bytes:
    """The frame of `started`."""
    return _STARTED(_STARTED_HEAD, 0xCE, index)


def done(index: int) -> bytes:
    """The frame of `done`."""
    return _DONE(_DONE_HEAD, 0xCE, index)


def frame(message: Any) -> bytes:
    """A message as it goes over the socket: the prefix, then one MessagePack value."""
    payload = encode(message)
    return _prefix(len(payload)) + payload


def announced(data: Any) -> int:
    """The length of the message of the frame that `data` begins with, which holds at least the prefix."""
    size, check = _PREFIX.unpack_from(data)
    if size ^ _CHECK != check:
        raise WireError("something else where a frame begins")
    return int(size)


def encode(value: Any) -> bytes:
    """One value as MessagePack. Never fails, short of running out of memory."""
    out: List[bytes] = []
    _pack(value, out.append, 0)
    return b"".join(out)


def safe_repr(value: Any) -> str:
    """`repr(value)`, or a remark about why there is none."""
    try:
        text = repr(value)
        if isinstance(text, str):
            return str.__str__(text)
        why = "is no text"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        why = f"raised {type(error).__name__}"
    return f"<{type(value).__name__} object whose repr {why}>"


def _pack(value: Any, put: Callable[[bytes], Any], depth: int) -> None:
    kind = type(value)
    if kind is str:
        _pack_text(value, put)
    elif value is None:
        put(b"\xc0")
    elif kind is bool:
        put(b"\xc3" if value else b"\xc2")
    elif kind is int:
        _pack_int(value, put)
    elif kind is float:
        put(_F64(0xCB, value))
    elif kind is bytes:
        _pack_bytes(value, put)
    elif depth >= _MAX_DEPTH:
        _pack_text(f"<{kind.__name__} object nested too deeply>", put)
    elif kind is list or kind is tuple:
        _pack_sequence(value, put, depth)
    elif kind is dict:
        _pack_pairs(list(value.items()), put, depth)
    else:
        _pack_other(value, put, depth)


def _pack_other(value: Any, put: Callable[[bytes], Any], depth: int) -> None:
    """Subclasses by the content of their base, whatever they override; everything else by its `repr`."""
    if isinstance(value, str):
        _pack_text(str.__str__(value), put)
    elif isinstance(value, int):
        _pack_int(int.__index__(value), put)
    elif isinstance(value, float):
        put(_F64(0xCB, float.__float__(value)))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        _pack_bytes(bytes(value), put)
    elif isinstance(value, list):
        _pack_sequence(list.__getitem__(value, slice(None)), put, depth)
    elif isinstance(value, tuple):
        _pack_sequence(tuple.__getitem__(value, slice(None)), put, depth)
    elif isinstance(value, dict):
        _pack_pairs(list(dict.items(value)), put, depth)
    else:
        try:
            if isinstance(value, Mapping):
                pairs = list(value.items())
            elif isinstance(value, Set):
                return _pack_sequence(list(value), put, depth)
            else:
                return _pack_text(safe_repr(value), put)
        except Exception:
            return _pack_text(safe_repr(value), put)
        _pack_pairs(pairs, put, depth)
    return None


def _pack_int(value: int, put: Callable[[bytes], Any]) -> None:
    if 0 <= value < 0x80:
        put(bytes((value,)))
    elif -32 <= value < 0:
        put(bytes((value & 0xFF,)))
    elif 0 <= value < 1 << 32:
        put(_U32(0xCE, value))
    elif 0 <= value < 1 << 64:
        put(_U64(0xCF, value))
    elif -(1 << 63) <= value < 0:
        put(_I64(0xD3, value))
    else:
        # Decimal text of a huge number may be refused by the interpreter; hexadecimal never is.
        _pack_text(str(value) if value.bit_length() < 2048 else hex(value), put)


def _pack_text(value: str, put: Callable[[bytes], Any]) -> None:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        data = value.encode("utf-8", "backslashreplace")
    size = len(data)
    if size < 32:
        put(bytes((0xA0 | size,)))
    elif size < 1 << 8:
        put(_U8(0xD9, size))
    elif size < 1 << 16:
        put(_U16(0xDA, size))
    else:
        put(_U32(0xDB, size))
    put(data)


def _pack_bytes(value: bytes, put: Callable[[bytes], Any]) -> None:
    size = len(value)
    put(_U8(0xC4, size) if size < 1 << 8 else _U32(0xC6, size))
    put(value)


def _pack_sequence(values: Any, put: Callable[[bytes], Any], depth: int) -> None:
    size = len(values)
    if size < 16:
        put(bytes((0x90 | size,)))
    else:
        put(_U16(0xDC, size) if size < 1 << 16 else _U32(0xDD, size))
    for value in values:
        _pack(value, put, depth + 1)


def _pack_pairs(pairs: List[Tuple[Any, Any]], put: Callable[[bytes], Any], depth: int) -> None:
    size = len(pairs)
    if size < 16:
        put(bytes((0x80 | size,)))
    else:
        put(_U16(0xDE, size) if size < 1 << 16 else _U32(0xDF, size))
    for key, value in pairs:
        _pack(key, put, depth + 1)
        _pack(value, put, depth + 1)


class WireError(ValueError):
    """What arrived is no message."""


def decode(data: bytes) -> Any:
    """The one value that `data` holds."""
    try:
        value, end = _unpack(data, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError, RecursionError) as error:
        raise WireError(f"not a message: {error}") from error
    if end != len(data):
        raise WireError("bytes after the end of a message")
    return value


_FIXED: Dict[int, struct.Struct] = {
    0xCA: struct.Struct(">f"),
    0xCB: struct.Struct(">d"),
    0xCC: struct.Struct(">B"),
    0xCD: struct.Struct(">H"),
    0xCE: struct.Struct(">I"),
    0xCF: struct.Struct(">Q"),
    0xD0: struct.Struct(">b"),
    0xD1: struct.Struct(">h"),
    0xD2: struct.Struct(">i"),
    0xD3: struct.Struct(">q"),
}
_SIZED = {  # mark -> (kind, how its size is written)
    0xC4: (bytes, _FIXED[0xCC]),
    0xC5: (bytes, _FIXED[0xCD]),
    0xC6: (bytes, _FIXED[0xCE]),
    0xD9: (str, _FIXED[0xCC]),
    0xDA: (str, _FIXED[0xCD]),
    0xDB: (str, _FIXED[0xCE]),
    0xDC: (list, _FIXED[0xCD]),
    0xDD: (list, _FIXED[0xCE]),
    0xDE: (dict, _FIXED[0xCD]),
    0xDF: (dict, _FIXED[0xCE]),
}
_SINGLE = {0xC0: None, 0xC2: False, 0xC3: True}


def _unpack(data: bytes, at: int) -> Tuple[Any, int]:
    mark = data[at]
    at += 1
    if mark < 0x80:
        return mark, at
    if mark < 0x90:
        return _unpack_pairs(data, at, mark & 0x0F)
    if mark < 0xA0:
        return _unpack_list(data, at, mark & 0x0F)
    if mark < 0xC0:
        return _unpack_text(data, at, mark & 0x1F)
    if mark >= 0xE0:
        return mark - 0x100, at
    if mark in _SINGLE:
        return _SINGLE[mark], at
    if mark in _FIXED:
        layout = _FIXED[mark]
        return layout.unpack_from(data, at)[0], at + layout.size
    if mark not in _SIZED:
        raise WireError(f"unknown mark {mark:#x}")
    kind, layout = _SIZED[mark]
    size = layout.unpack_from(data, at)[0]
    at += layout.size
    if kind is str:
        return _unpack_text(data, at, size)
    if kind is list:
        return _unpack_list(data, at, size)
    if kind is dict:
        return _unpack_pairs(data, at, size)
    return _slice(data, at, size), at + size


def _slice(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise WireError("message cut short")
    return data[at : at + size]


def _unpack_text(data: bytes, at: int, size: int) -> Tuple[str, int]:
    return _slice(data, at, size).decode(), at + size


def _unpack_list(data: bytes, at: int, size: int) -> Tuple[List[Any], int]:
    values = []
    for _ in range(size):
        value, at = _unpack(data, at)
        values.append(value)
    return values, at


def _unpack_pairs(data: bytes, at: int, size: int) -> Tuple[Dict[Any, Any], int]:
    pairs = {}
    for _ in range(size):
        key, at = _unpack(data, at)
        pairs[key], at = _unpack(data, at)
    return pairs, at
