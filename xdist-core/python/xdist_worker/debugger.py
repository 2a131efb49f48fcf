"""Refuses the interactive debugger in a worker, which has no terminal, with a hint how to get one."""

from __future__ import annotations

from typing import Any, Callable

import pytest


def refuse(current: Callable[[], str]) -> None:
    """Make `breakpoint()`, `pdb.set_trace()` and `pytest.set_trace()` fail the test whose id `current()` gives."""
    from _pytest.debugging import pytestPDB

    def no_terminal(cls: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        nodeid = current()
        quoted = f"'{nodeid}'" if set(nodeid) & set(" []()$&;*?\"<>|`!#~{}") else nodeid
        pytest.fail(
            f"{method or 'breakpoint'}: a worker has no terminal for the debugger.\n"
            f"hint: rerun the test alone with `xdist -n 0 --pdb {quoted}`",
            pytrace=False,
        )

    pytestPDB._init_pdb = classmethod(no_terminal)
