import os

from flaky import flaky


def before(name):
    number = int(open(name).read()) if os.path.exists(name) else 0
    with open(name, "w") as file:
        file.write(str(number + 1))
    return number


@flaky
def test_second():
    assert before("second") == 1


@flaky(max_runs=3)
def test_never():
    assert 0


def test_always():
    pass
