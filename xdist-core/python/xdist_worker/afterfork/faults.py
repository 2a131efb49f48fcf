"""faulthandler: its copy of stderr follows the standard streams (stdio); here is its timer.

`cancel_dump_traceback_later` waits for the timer's thread. In a child that thread does not exist, and pytest's
`faulthandler_timeout` cancels before every test: so it is cancelled where it still can be.
"""

from __future__ import annotations

import sys
from typing import Any


def cancel(_config: Any) -> None:
    """Before the fork."""
    faulthandler = sys.modules.get("faulthandler")
    if faulthandler is not None and hasattr(faulthandler, "cancel_dump_traceback_later"):
        faulthandler.cancel_dump_traceback_later()
