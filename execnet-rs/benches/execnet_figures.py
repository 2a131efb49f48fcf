"""The figures of execnet for what `examples/bench.rs` measures: a line each, with the same names."""

from __future__ import annotations

import time

import execnet

ECHO = "for item in channel: channel.send(item)"


def figure(name: str, value: float, unit: str) -> None:
    print(f"{name}\t{value:.3f}\t{unit}", flush=True)


def starts() -> None:
    start = time.perf_counter()
    group = execnet.Group()
    group.makegateway("popen").remote_exec("channel.send(1)").receive()
    figure("first answer", (time.perf_counter() - start) * 1000, "ms")
    group.terminate(5)
    start = time.perf_counter()
    group = execnet.Group(["popen"] * 16)
    group.remote_exec("channel.send(1)").receive_each()
    figure("16 first answers", (time.perf_counter() - start) * 1000, "ms")
    group.terminate(5)


def echoes() -> None:
    group = execnet.Group()
    channel = group.makegateway("popen").remote_exec(ECHO)
    count = 5000
    start = time.perf_counter()
    for number in range(count):
        channel.send(number)
        channel.receive()
    figure("round trips", count / (time.perf_counter() - start), "/s")
    count = 50000
    start = time.perf_counter()
    for number in range(count):
        channel.send(number)
    for _ in range(count):
        channel.receive()
    figure("pipelined echo", count / (time.perf_counter() - start), "/s")
    count, block = 100, b"\7" * (1 << 20)
    start = time.perf_counter()
    for _ in range(count):
        channel.send(block)
        channel.receive()
    figure("1 MiB echo", count / (time.perf_counter() - start) * 1.048576, "MB/s")
    group.terminate(1)


starts()
echoes()
