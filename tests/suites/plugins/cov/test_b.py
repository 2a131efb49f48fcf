from pkg.calc import half


def test_half():
    assert half(4) == 2


def test_fails():
    assert half(4) == 3
