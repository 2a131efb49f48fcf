import time

import pytest


def test_slow():
    time.sleep(60)


@pytest.mark.parametrize("n", range(4))
def test_quick(n):
    pass
