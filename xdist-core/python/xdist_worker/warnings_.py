"""Turns a recorded warning into plain data, its text as pytest's warnings summary prints it."""

from __future__ import annotations

import os

from .safe_text import attribute, integer, text


def encode_warning(warning_message: object, when: str, nodeid: str, location: tuple | None) -> dict[str, object] | None:
    """Return the data of a warning as `pytest_warning_recorded` was given it; None for what is no warning at all.

    The place is the one that the warning itself names, its path made absolute: `location` tells where pytest was when
    it caught the warning, which pytest's summary does not print.
    """
    if attribute(warning_message, "category") is None and attribute(warning_message, "message") is None:
        return None
    data: dict[str, object] = {"when": text(when), "nodeid": text(nodeid or ""), "message": _message(warning_message)}
    place = attribute(warning_message, "filename")
    if place is None and location:
        place = location[0]
    if place is not None:
        data["location"] = (_absolute(text(place)), integer(attribute(warning_message, "lineno"), 0))
    return data


def describe_warning(warning_message: object) -> dict[str, object]:
    """Return what a plugin host makes the warning of again."""
    said = attribute(warning_message, "message")
    category = attribute(warning_message, "category")
    return {
        "module": text(attribute(category, "__module__", "builtins")),
        "name": text(attribute(category, "__qualname__", "Warning")),
        "args": tuple(said.args) if isinstance(said, Warning) else (text(said),),
        "text": text(said),
        "filename": text(attribute(warning_message, "filename", "")),
        "lineno": integer(attribute(warning_message, "lineno"), 1),
    }


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:
        # The working directory is gone.
        return path


def _message(warning_message: object) -> str:
    try:
        from _pytest.warnings import warning_record_to_str

        return text(warning_record_to_str(warning_message))
    except KeyboardInterrupt:
        raise
    except BaseException:
        category = attribute(attribute(warning_message, "category"), "__name__", "Warning")
        place = f"{text(attribute(warning_message, 'filename'))}:{text(attribute(warning_message, 'lineno'))}"
        return f"{place}: {text(category)}: {text(attribute(warning_message, 'message'))}\n"
