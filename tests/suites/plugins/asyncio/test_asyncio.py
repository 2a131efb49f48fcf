import asyncio

import pytest
import pytest_asyncio


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loop():
    yield asyncio.get_running_loop()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("n", range(4))
async def test_one_loop(loop, n):
    await asyncio.sleep(0)
    assert loop is asyncio.get_running_loop()


@pytest.mark.asyncio
async def test_fails():
    await asyncio.sleep(0)
    assert 0


@pytest.mark.asyncio
async def test_process():
    process = await asyncio.create_subprocess_exec("true")
    assert await process.wait() == 0
