import time


def test_a():
    time.sleep(0.3)


def test_b():
    pass


def test_c():
    time.sleep(0.2)


def test_d():
    pass
