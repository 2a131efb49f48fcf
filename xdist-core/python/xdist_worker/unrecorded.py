"""Warnings that pytest does not record, because they are raised while it configures, starts or is about to leave.

Serial pytest lets Python print them to stderr, before its header and after its last line. A worker tells the controller
instead, which prints each once, there. While pytest or a test records warnings, Python's own function is in its place.
"""

from __future__ import annotations

import sys
import warnings
from _thread import get_ident
from typing import Any, Callable


def divert(tell: Callable[[str], bool]) -> None:
    """From here on give `tell` the text of such warnings; where it returns false they are printed as always."""
    own = getattr(warnings, "_showwarnmsg_impl", None)
    render = getattr(warnings, "_formatwarnmsg", None)
    if own is None or render is None or getattr(sys.flags, "context_aware_warnings", 0):
        return
    main = get_ident()

    def showing(message: Any) -> None:
        # With another stderr it is captured output, and a thread may be in the middle of anything.
        printed = message.file is None and sys.stderr is sys.__stderr__ and get_ident() == main
        if not printed or not tell(render(message)):
            own(message)

    warnings._showwarnmsg_impl = showing  # type: ignore[attr-defined]
