"""What a report says in junit.xml, where that is not what it says on a terminal.

pytest writes lone surrogates as `#xD800` into the file, and as `\\ud800` onto a terminal that takes UTF-8.
"""

from __future__ import annotations

import re
from typing import Any

from .safe_text import attribute, text, xml_text

_ESCAPED = re.compile(r"\\ud[89a-f]")


def differing(report: Any, wasxfail: str | None, plain: str) -> tuple[str, str] | None:
    """Return the message and the text of a failure, or the reason of a skip, for the file; empty what is no other.

    `plain` is the failure as a terminal without colours shows it.
    """
    message = _message(report, wasxfail is not None)
    in_file = xml_text(message)
    if in_file == text(message):
        in_file = ""
    whole = ""
    if _ESCAPED.search(plain):
        whole = xml_text(attribute(report, "longreprtext", ""))
        if whole == plain.strip():
            whole = ""
    return (in_file, whole) if in_file or whole else None


def _message(report: Any, expected: bool) -> object:
    if expected:
        return attribute(report, "wasxfail")
    longrepr = attribute(report, "longrepr")
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        return longrepr[2]
    if isinstance(longrepr, str):
        return longrepr
    return attribute(attribute(longrepr, "reprcrash"), "message", "")
