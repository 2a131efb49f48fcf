"""Evidence that forking workers after collection is unsafe for this project.

`Watch` runs in the process that collects, from before the initial conftests load until the fork. It knows nothing of
the wire, of the controller or of fork levels: it says what it saw first, in words for the run's header. What can be
set right after the fork instead is no evidence; that is the `afterfork` package.
"""

from __future__ import annotations

from .watch import Watch

__all__ = ["Watch"]
