"""A relay that makes a connection slow: `relay.py HOST PORT MILLISECONDS` says on which port of this host it listens.

Whatever arrives leaves so many milliseconds later, in each direction, however much there is of it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Optional, Tuple


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """One direction of one connection."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[Tuple[float, Optional[bytes]]] = asyncio.Queue()

    async def give() -> None:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - loop.time())
            if piece is None:
                break
            writer.write(piece)
            await writer.drain()
        writer.close()

    giving = asyncio.ensure_future(give())
    try:
        while True:
            piece = await reader.read(1 << 16)
            if not piece:
                break
            pieces.put_nowait((loop.time() + seconds, piece))
    except OSError:
        pass
    pieces.put_nowait((loop.time() + seconds, None))
    try:
        await giving
    except OSError:
        pass


async def main(host: str, port: int, seconds: float) -> None:
    """Serve until killed."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The three steps in which a connection is made take a round trip of their own.
        await asyncio.sleep(2 * seconds)
        far_reader, far_writer = await asyncio.open_connection(host, port)
        await asyncio.gather(carry(reader, far_writer, seconds), carry(far_reader, writer, seconds))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000))
