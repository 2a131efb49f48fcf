"""Synchronise with execnet, through a command, and print the seconds that its `RSync` takes; run by an interpreter that
has it.

Usage: trees_execnet.py COMMAND [SOURCE DESTINATION]

COMMAND starts the interpreter at the other end. Without a source nothing is synchronised.
"""

from __future__ import annotations

import sys
import time

import execnet


def main() -> None:
    """Do what the arguments say."""
    gateway = execnet.makegateway(f"popen//python={sys.argv[1]}")
    gateway.remote_exec("channel.send(1)").receive()
    begin = time.perf_counter()
    if sys.argv[2:]:
        sync = execnet.RSync(sys.argv[2], verbose=False)
        sync.add_target(gateway, sys.argv[3], delete=True)
        sync.send()
    print(time.perf_counter() - begin)
    gateway.exit()
    execnet.default_group.terminate(10)


main()
