"""Random generators.

CPython re-seeds `random` in every forked child. A suite that seeded it before collection must find that state in every
worker, as it would in fresh processes; one that never did must not find the same state in all of them.
"""

from __future__ import annotations

import functools
import random
import sys
from typing import Any

from .context import Worker

_seeded = False
_state: Any = None
_own_seed = random.seed
_own_setstate = random.setstate
_TORCH_HIGHEST_HAND_MADE = 2**32


def watch_seed() -> None:
    """Notice from now on whether the suite seeds `random`; call it in the fork server, before project code."""
    random.seed = _watched(_own_seed)  # type: ignore[assignment]
    random.setstate = _watched(_own_setstate)  # type: ignore[assignment]


def _watched(own: Any) -> Any:
    @functools.wraps(own)
    def watching(*args: Any, **kwargs: Any) -> Any:
        global _seeded
        _seeded = bool(args or kwargs) and (args or tuple(kwargs.values()))[0] is not None
        return own(*args, **kwargs)

    return watching


def save(_config: Any) -> None:
    """Before the fork."""
    global _state
    _state = random.getstate() if _seeded else None


def is_seeded() -> bool:
    """Whether the suite has seeded `random`, as far as was watched."""
    return _seeded


def current() -> Any:
    """The state of `random`."""
    return random.getstate()


def go_on(state: Any) -> None:
    """Go on from `state` in a process that was just forked."""
    _own_setstate(state)


def restore(_worker: Worker) -> None:
    """In the worker."""
    if _state is not None:
        _own_setstate(_state)
    else:
        _own_seed()
        _renew(sys.modules.get("hypothesis.core"), _renew_hypothesis)
    _renew(sys.modules.get("numpy.random.mtrand"), _renew_numpy)
    _renew(sys.modules.get("torch"), _renew_torch)


def _renew(module: Any, renew: Any) -> None:
    """Other versions of a library may look different: then its state stays as it was copied."""
    if module is None:
        return
    try:
        renew(module)
    except (AttributeError, KeyError, TypeError, IndexError):
        return


def _renew_numpy(module: Any) -> None:
    """numpy's global generator, if it was never seeded.

    The state tells: before the first draw (position 624), an integer seed stands in the first word, while one from the
    system leaves only the highest bit there. After a draw it cannot be told, and stays.
    """
    _name, key, position = module._rand.get_state(legacy=True)[:3]
    if position == 624 and int(key[0]) == 0x80000000:
        module._rand.seed()


def _renew_torch(module: Any) -> None:
    """torch's generator, if it was never seeded: a seed from the system has 53 bits, hand-made ones are short."""
    if module.initial_seed() >= _TORCH_HIGHEST_HAND_MADE:
        module.seed()


def _renew_hypothesis(module: Any) -> None:
    """The generator from which hypothesis draws its seeds."""
    generator = module._hypothesis_global_random
    if generator is not None:
        generator.seed()
