import allure
import pytest


@allure.feature("F")
@pytest.mark.parametrize("n", range(4))
def test_ok(n):
    with allure.step("a step"):
        allure.attach("text", name="attached")


def test_bad():
    assert 0


@pytest.mark.skip(reason="no")
def test_skip():
    pass
