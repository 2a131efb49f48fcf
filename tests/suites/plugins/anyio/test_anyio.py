import anyio
import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


@pytest.fixture(scope="module")
async def five():
    yield 5


@pytest.mark.parametrize("n", range(3))
async def test_fixture(five, n):
    await anyio.sleep(0)
    assert five == 5


async def test_fails():
    await anyio.sleep(0)
    assert 0
