def test_sum(benchmark):
    assert benchmark(sum, [1, 2]) == 3


def test_len(benchmark):
    assert benchmark(len, [1, 2]) == 2


def test_plain():
    pass
