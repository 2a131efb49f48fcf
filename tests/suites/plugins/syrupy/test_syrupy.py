def test_one(snapshot):
    assert {"a": 1} == snapshot


def test_two(snapshot):
    assert [1, 2] == snapshot


def test_three(snapshot):
    assert "x" == snapshot
