"""Errors of code that was sent, as the other side gets them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What is sent of an error at most, in bytes, and of each of its texts if that is too much, in characters.
ERROR_LIMIT = 1 << 18
TEXT_LIMIT = 16000

_sources: dict[str, str] = {}


def remember(name: str, source: str) -> None:
    """Keeps source for tracebacks that show its lines."""
    if len(_sources) >= 100:
        _sources.clear()
    _sources[name] = source


def shorten(details: dict[str, Any]) -> dict[str, Any]:
    """The same error, with texts that can be sent."""
    texts = {key: details.get(key) for key in ("type", "message", "traceback", "file")}
    short: dict[str, Any] = {key: _shortened(text) for key, text in texts.items() if isinstance(text, str)}
    line = details.get("line")
    if isinstance(line, int) and 0 <= line < 1 << 32:
        short["line"] = line
    return short


def _shortened(text: str) -> str:
    half = TEXT_LIMIT // 2
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{text[:half]}\n… {len(text) - 2 * half} characters are left out …\n{text[-half:]}"


def describe(error: BaseException) -> dict[str, Any]:
    """What the other side makes a `RemoteError` of."""
    import linecache
    import traceback

    for name, source in list(_sources.items()):
        linecache.cache.setdefault(name, (len(source), None, source.splitlines(True), name))
    frames = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in frames if not frame.filename.startswith("<execnet_endpoint")]
    lines = ["Traceback (most recent call last):\n"] if frames else []
    lines += traceback.format_list(frames)
    lines += traceback.format_exception_only(type(error), error)
    if isinstance(error, SyntaxError):
        place = (error.filename, error.lineno)
    else:
        place = (frames[-1].filename, frames[-1].lineno) if frames else (None, None)
    try:
        message = str(error)
    except Exception:
        message = "an error whose text cannot be had"
    return {
        "type": type(error).__name__,
        "message": message,
        "traceback": "".join(lines),
        "file": place[0],
        "line": place[1],
    }
