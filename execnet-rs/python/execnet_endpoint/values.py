"""Values to bytes and back: msgpack, with extension types for what msgpack has no type for.

The twin of `value.rs`, which holds the table of types. Subclasses travel as what they are subclasses of. Any bytes are
a value or a `LoadError`; any object is bytes or a `DumpError`.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

DEPTH = 200
BIG_INT, SURROGATES, TUPLE, SET, FROZEN_SET, COMPLEX, CHANNEL = range(1, 8)


class DataFormatError(Exception):
    """A value and its bytes do not go together."""


class DumpError(DataFormatError):
    """An object cannot be sent."""


class LoadError(DataFormatError):
    """Bytes are not a value."""


_U16, _U32, _I16, _I32, _I64, _F64 = (struct.Struct(">" + code) for code in "HIhiqd")
_B_U8, _B_U16, _B_U32 = (struct.Struct(">B" + code) for code in "BHI")
_B_I8, _B_I16, _B_I32, _B_I64, _B_F64 = (struct.Struct(">B" + code) for code in "bhiqd")
_EXT, _COMPLEX, _CHANNEL = struct.Struct(">BIB"), struct.Struct(">BBdd"), struct.Struct(">BBI")
_TINY = {number: bytes([number & 0xFF]) for number in range(-32, 128)}


def dumps(obj: object) -> bytes | bytearray:
    """The bytes of an object."""
    if type(obj) is int and obj in _TINY:
        return _TINY[obj]
    out = bytearray()
    try:
        _dump(out, obj, DEPTH)
    except struct.error:
        raise DumpError("a part of the value holds more than 4 GiB or 2**32 items") from None
    return out


def _dump(out: bytearray, obj: Any, depth: int) -> None:
    write = _WRITERS.get(type(obj))
    if write is None:
        write = _writer_of_base(obj)
    write(out, obj, depth)


def _writer_of_base(obj: object) -> Callable[[bytearray, Any, int], None]:
    for base in type(obj).__mro__:
        if base in _WRITERS:
            return _WRITERS[base]
    raise DumpError(f"cannot send an object of type {type(obj).__module__}.{type(obj).__qualname__}")


def _dump_none(out: bytearray, obj: None, depth: int) -> None:
    out.append(0xC0)


def _dump_bool(out: bytearray, obj: bool, depth: int) -> None:
    out.append(0xC3 if obj else 0xC2)


# Of a subclass, the value counts and not what its methods say: hence `int.to_bytes(obj, …)` and the like.
def _dump_int(out: bytearray, obj: int, depth: int) -> None:
    obj = int.__add__(obj, 0)
    if -32 <= obj < 128:
        out += _TINY[obj]
    elif -(1 << 15) <= obj < 1 << 15:
        out += _B_I16.pack(0xD1, obj)
    elif -(1 << 31) <= obj < 1 << 31:
        out += _B_I32.pack(0xD2, obj)
    elif -(1 << 63) <= obj < 1 << 63:
        out += _B_I64.pack(0xD3, obj)
    else:
        _dump_ext(out, BIG_INT, obj.to_bytes(obj.bit_length() // 8 + 1, "big", signed=True))


def _dump_float(out: bytearray, obj: float, depth: int) -> None:
    out += _B_F64.pack(0xCB, float.__add__(obj, 0.0) if obj else obj)


def _dump_complex(out: bytearray, obj: complex, depth: int) -> None:
    real, imaginary = complex.__getnewargs__(obj)
    out += _COMPLEX.pack(0xD8, COMPLEX, real, imaginary)


def _dump_bytes(out: bytearray, obj: bytes, depth: int) -> None:
    length = bytes.__len__(obj)
    if length < 256:
        out += _B_U8.pack(0xC4, length)
    elif length < 65536:
        out += _B_U16.pack(0xC5, length)
    else:
        out += _B_U32.pack(0xC6, length)
    out += obj


def _dump_str(out: bytearray, obj: str, depth: int) -> None:
    try:
        text = str.encode(obj)
    except UnicodeEncodeError:
        _dump_ext(out, SURROGATES, str.encode(obj, "utf-8", "surrogatepass"))
        return
    length = len(text)
    if length < 32:
        out.append(0xA0 | length)
    elif length < 256:
        out += _B_U8.pack(0xD9, length)
    elif length < 65536:
        out += _B_U16.pack(0xDA, length)
    else:
        out += _B_U32.pack(0xDB, length)
    out += text


def _dump_ext(out: bytearray, kind: int, body: bytes) -> None:
    out += _EXT.pack(0xC9, len(body), kind)
    out += body


def _dump_head(out: bytearray, length: int, depth: int, small: int, markers: tuple[int, int]) -> None:
    if depth < 1:
        raise DumpError(f"value nests deeper than {DEPTH} levels")
    if length < 16:
        out.append(small | length)
    elif length < 65536:
        out += _B_U16.pack(markers[0], length)
    else:
        out += _B_U32.pack(markers[1], length)


def _dump_items(out: bytearray, items: list[Any], depth: int) -> None:
    _dump_head(out, len(items), depth, 0x90, (0xDC, 0xDD))
    for item in items:
        _dump(out, item, depth - 1)


def _dump_list(out: bytearray, obj: list[Any], depth: int) -> None:
    _dump_items(out, list(list.__iter__(obj)), depth)


def _dump_dict(out: bytearray, obj: dict[Any, Any], depth: int) -> None:
    entries = list(dict.items(obj))
    _dump_head(out, len(entries), depth, 0x80, (0xDE, 0xDF))
    for key, value in entries:
        _dump(out, key, depth - 1)
        _dump(out, value, depth - 1)


def _wrapped(kind: int, base: Any) -> Callable[[bytearray, Any, int], None]:
    def write(out: bytearray, obj: Any, depth: int) -> None:
        start = len(out)
        out += b"\xc9\0\0\0\0%c" % kind
        _dump_items(out, list(base.__iter__(obj)), depth)
        _U32.pack_into(out, start + 1, len(out) - start - 6)

    return write


_WRITERS: dict[type, Callable[[bytearray, Any, int], None]] = {
    type(None): _dump_none,
    bool: _dump_bool,
    int: _dump_int,
    float: _dump_float,
    complex: _dump_complex,
    bytes: _dump_bytes,
    str: _dump_str,
    list: _dump_list,
    tuple: _wrapped(TUPLE, tuple),
    set: _wrapped(SET, set),
    frozenset: _wrapped(FROZEN_SET, frozenset),
    dict: _dump_dict,
}


def carry_channels(kind: type, number_of: Callable[[Any], int], channel_of: Callable[[int], object]) -> None:
    """Have objects of a type travel as numbers of channels, and numbers of channels come out by `channel_of`."""
    global _channel_of
    _channel_of = channel_of

    def write(out: bytearray, obj: Any, depth: int) -> None:
        out += _CHANNEL.pack(0xD6, CHANNEL, number_of(obj))

    _WRITERS[kind] = write


def _no_channel(number: int) -> object:
    raise LoadError("a channel where none can be")


_channel_of = _no_channel


def loads(data: bytes | bytearray) -> Any:
    """The object of bytes."""
    first = data[0] if data else 0xC1
    if first < 0x80 and len(data) == 1:
        return first
    try:
        value, end = _load(data, 0, DEPTH)
    except (struct.error, IndexError):
        raise LoadError("value is cut off") from None
    except TypeError as error:
        raise LoadError(f"a member or key that cannot be one: {error}") from None
    except UnicodeDecodeError:
        raise LoadError("text is not UTF-8") from None
    if end != len(data):
        raise LoadError("something follows the value" if end < len(data) else "value is cut off")
    return value


def _load(data: bytes | bytearray, at: int, depth: int) -> tuple[Any, int]:
    marker = data[at]
    at += 1
    if marker < 0x80:
        return marker, at
    if marker >= 0xE0:
        return marker - 256, at
    if marker < 0x90:
        return _load_dict(data, at, marker & 0x0F, depth)
    if marker < 0xA0:
        return _load_list(data, at, marker & 0x0F, depth)
    if marker < 0xC0:
        return _load_str(data, at, marker & 0x1F)
    if marker in _FIXED:
        value = _FIXED[marker]
        if value is None or value is True or value is False:
            return value, at
        return value.unpack_from(data, at)[0], at + value.size
    if marker in _SIZED:
        size, read = _SIZED[marker]
        return read(data, at + size.size, size.unpack_from(data, at)[0])
    if marker in _NESTED:
        size, read_nested = _NESTED[marker]
        return read_nested(data, at + size.size, size.unpack_from(data, at)[0], depth)
    if 0xD4 <= marker <= 0xD8:
        return _load_ext(data, at, 1 << (marker - 0xD4), depth)
    raise LoadError(f"unknown kind of value {marker:#04x}")


def _cut(data: bytes | bytearray, at: int, length: int) -> bytes | bytearray:
    if length > len(data) - at:
        raise LoadError("value is cut off")
    return data[at : at + length]


def _load_bytes(data: bytes | bytearray, at: int, length: int) -> tuple[bytes, int]:
    if length > len(data) - at:
        raise LoadError("value is cut off")
    if length > 65536:
        return bytes(memoryview(data)[at : at + length]), at + length
    return bytes(data[at : at + length]), at + length


def _load_str(data: bytes | bytearray, at: int, length: int) -> tuple[str, int]:
    return _cut(data, at, length).decode(), at + length


def _load_list(data: bytes | bytearray, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    if depth < 1:
        raise LoadError("value nests too deep")
    if count > len(data) - at:
        raise LoadError("value is cut off")
    items = []
    for _ in range(count):
        item, at = _load(data, at, depth - 1)
        items.append(item)
    return items, at


def _load_dict(data: bytes | bytearray, at: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
    if depth < 1:
        raise LoadError("value nests too deep")
    if 2 * count > len(data) - at:
        raise LoadError("value is cut off")
    entries = {}
    for _ in range(count):
        key, at = _load(data, at, depth - 1)
        entries[key], at = _load(data, at, depth - 1)
    return entries, at


_COLLECTIONS: dict[int, Any] = {TUPLE: tuple, SET: set, FROZEN_SET: frozenset}


def _load_ext(data: bytes | bytearray, at: int, length: int, depth: int) -> tuple[Any, int]:
    kind, at = data[at], at + 1
    end = at + length
    if end > len(data):
        raise LoadError("value is cut off")
    if kind in _COLLECTIONS:
        marker = data[at]
        if not (0x90 <= marker < 0xA0 or marker in (0xDC, 0xDD)):
            raise LoadError(f"unknown kind of value {kind:#04x}")
        items, at = _load(data, at, depth)
        if at != end:
            raise LoadError("something follows the value")
        return _COLLECTIONS[kind](items), end
    if kind == BIG_INT:
        return int.from_bytes(data[at:end], "big", signed=True), end
    if kind == SURROGATES:
        return data[at:end].decode("utf-8", "surrogatepass"), end
    if kind == COMPLEX and length == 16:
        return complex(_F64.unpack_from(data, at)[0], _F64.unpack_from(data, at + 8)[0]), end
    if kind == CHANNEL and length == 4:
        return _channel_of(_U32.unpack_from(data, at)[0]), end
    raise LoadError(f"unknown kind of value {kind:#04x}")


_U8, _I8, _U64, _F32 = (struct.Struct(">" + code) for code in "BbQf")
_FIXED: dict[int, Any] = {
    0xC0: None,
    0xC2: False,
    0xC3: True,
    0xCA: _F32,
    0xCB: _F64,
    0xCC: _U8,
    0xCD: _U16,
    0xCE: _U32,
    0xCF: _U64,
    0xD0: _I8,
    0xD1: _I16,
    0xD2: _I32,
    0xD3: _I64,
}
_SIZED: dict[int, Any] = {
    0xC4: (_U8, _load_bytes),
    0xC5: (_U16, _load_bytes),
    0xC6: (_U32, _load_bytes),
    0xD9: (_U8, _load_str),
    0xDA: (_U16, _load_str),
    0xDB: (_U32, _load_str),
}
_NESTED: dict[int, Any] = {
    0xC7: (_U8, _load_ext),
    0xC8: (_U16, _load_ext),
    0xC9: (_U32, _load_ext),
    0xDC: (_U16, _load_list),
    0xDD: (_U32, _load_list),
    0xDE: (_U16, _load_dict),
    0xDF: (_U32, _load_dict),
}
