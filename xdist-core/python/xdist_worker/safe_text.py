"""Plain text, numbers and attributes out of any object, whatever it does when it is asked.

Everything that a report carries may come from a plugin or a test: string subclasses, lone surrogates, objects whose
`__str__` raises. What leaves this module is an exact `str` that encodes as UTF-8, or a number that fits its field.
Knows nothing of pytest.
"""

from __future__ import annotations

import math
import re
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")
I64_MAX = 2**63 - 1


def text(value: object) -> str:
    """Return `value` as an exact `str` that encodes as UTF-8; lone surrogates become `\\udcff`."""
    plain = value if type(value) is str else _to_str(value)
    if plain.isascii():
        return plain
    try:
        plain.encode("utf-8")
    except UnicodeEncodeError:
        return plain.encode("utf-8", "backslashreplace").decode("utf-8")
    return plain


def xml_text(value: object) -> str:
    """Return `value` as `text` does, but lone surrogates as pytest writes them into junit.xml: `#xDCFF`."""
    plain = value if type(value) is str else _to_str(value)
    return plain if plain.isascii() else text(_SURROGATE.sub(lambda found: f"#x{ord(found.group()):04X}", plain))


def _to_str(value: object) -> str:
    try:
        # A subclass of str may have a `__str__` of its own; its characters are what counts.
        result = str.__str__(value) if isinstance(value, str) else str(value)
        return result if type(result) is str else str.__str__(result)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return unprintable(value, error)


def unprintable(value: object, error: BaseException) -> str:
    """Return what stands for `value`, whose own text could not be had because of `error`."""
    return f"<unprintable {type(value).__name__} object: str() raised {type(error).__name__}>"


def attribute(owner: object, name: str, default: object = None) -> Any:
    """Return `owner.name`, or `default` where there is none or asking for it raises."""
    try:
        return getattr(owner, name, default)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return default


def integer(value: Any, default: int = 0) -> int:
    """Return `value` as an exact `int` that fits 64 bits, clamped."""
    try:
        number = int(value)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return default
    return max(-I64_MAX - 1, min(I64_MAX, int(number)))


def seconds(value: Any, default: float = 0.0) -> float:
    """Return `value` as an exact, finite `float`."""
    if type(value) is not float:
        try:
            value = float(value)
        except KeyboardInterrupt:
            raise
        except BaseException:
            return default
    return value if math.isfinite(value) else default
