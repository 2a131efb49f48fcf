import os


def test_patched(mocker):
    patched = mocker.patch("os.getcwd", return_value="elsewhere")
    assert os.getcwd() == "elsewhere"
    patched.assert_called_once_with()


def test_restored():
    assert os.getcwd() != "elsewhere"


def test_fails(mocker):
    called = mocker.Mock()
    called(1)
    called.assert_called_once_with(2)
