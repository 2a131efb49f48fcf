"""What the encoder renders is what serial pytest prints, for every style of traceback, with and without colours."""

from __future__ import annotations

import re
import textwrap

import inner
import pytest

SUITE = """
    import sys
    import unittest
    import warnings
    import pytest

    def helper(n):
        if n:
            return helper(n - 1)
        raise ValueError("deep\\nsecond line")

    def test_pass():
        pass

    def test_assert():
        value = {"a": [1, 2, 3]}
        assert value == {"a": [1, 2, 4]}, "a message"

    def test_deep():
        helper(3)

    def test_output(capsys):
        print("to stdout before")
        assert len("x") == 2

    def test_prints():
        print("to stdout")
        print("to stderr", file=sys.stderr)
        assert 0

    def test_chain():
        try:
            helper(0)
        except ValueError as error:
            raise RuntimeError("outer") from error

    @pytest.fixture
    def broken():
        print("in set-up")
        raise OSError("no such thing")

    def test_setup_error(broken):
        pass

    @pytest.fixture
    def leaving():
        yield
        print("in teardown")
        raise KeyError("teardown")

    def test_teardown_error(leaving):
        pass

    @pytest.fixture
    def noisy():
        print("noise in set-up")
        yield
        print("noise in teardown")

    def test_fail_with_noisy_teardown(noisy):
        print("noise in call")
        assert 0

    def test_fail_and_teardown_error(leaving):
        assert 1 == 2

    def test_no_such_fixture(nonexistent):
        pass

    @pytest.mark.xfail(reason="known")
    def test_xfail():
        assert 0

    @pytest.mark.xfail(reason="not known")
    def test_xpass():
        pass

    @pytest.mark.xfail(strict=True, reason="strictly")
    def test_xpass_strict():
        pass

    @pytest.mark.skip(reason="by mark")
    def test_skip_mark():
        pass

    def test_skip_call():
        pytest.skip("in call")

    def test_fail_call():
        pytest.fail("said so", pytrace=False)

    @pytest.mark.parametrize("x", ["a b", "c::d", "[e]"])
    def test_param(x):
        assert x == "c::d"

    class TestClass:
        def test_method(self):
            assert "abc" in "def"

    class TestCase(unittest.TestCase):
        def test_unit(self):
            self.assertEqual([1], [2])

        def test_unit_sub(self):
            for i in range(3):
                with self.subTest(i=i):
                    self.assertNotEqual(i, 1)

        @unittest.skip("unit reason")
        def test_unit_skip(self):
            pass

        @unittest.expectedFailure
        def test_unit_expected(self):
            self.fail()

        @unittest.expectedFailure
        def test_unit_unexpected(self):
            pass

    def documented():
        '''
        >>> 1 + 1
        3
        '''
"""

SUBTESTS = """
    import pytest

    def test_subtests(subtests):
        for i in range(3):
            with subtests.test("number", i=i):
                print("sub", i)
                assert i != 1

    def test_subtests_pass(subtests):
        with subtests.test():
            pass

    def test_subtests_skip(subtests):
        with subtests.test(msg="s"):
            pytest.skip("sub skip")
"""


def has_subtests():
    return int(pytest.__version__.split(".")[0]) >= 9


@pytest.fixture
def suite(tmp_path):
    (tmp_path / "test_suite.py").write_text(textwrap.dedent(SUITE), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return tmp_path


def error_titles(reports):
    return [f"ERROR at {report['when']} of {report['head_line']}" for report in reports]


@pytest.mark.parametrize("color", [False, True], ids=["mono", "color"])
@pytest.mark.parametrize("style", ["auto", "long", "short", "line", "native"])
def test_sections_are_what_pytest_prints(suite, style, color):
    if has_subtests():
        (suite / "test_sub.py").write_text(textwrap.dedent(SUBTESTS), encoding="utf-8")
    ran = inner.run(suite, f"--tb={style}", "--doctest-modules", color=color)
    failed = ran.reports("failed")
    assert len(failed) > 10
    teardowns = [report for report in ran.data["reports"] if report["when"] == "teardown" and "category" not in report]
    titles = [report["head_line"] for report in failed]
    assert inner.rebuilt(failed, titles, color, teardowns, style) == ran.block("FAILURES")
    errors = ran.reports("error")
    assert len(errors) == 4
    assert inner.rebuilt(errors, error_titles(errors), color) == ran.block("ERRORS")
    if style == "line":
        assert all(report["longrepr"]["line"] for report in failed)


@pytest.mark.parametrize("style", ["auto", "short", "no"])
def test_texts_for_junit_are_without_colours(suite, style):
    mono = inner.run(suite, f"--tb={style}", rendering={"junit": True})
    color = inner.run(suite, f"--tb={style}", rendering={"junit": True}, color=True)

    def texts(ran):
        shown = {report["head_line"]: report["longrepr"] for report in ran.reports("failed")}
        return {title: longrepr.get("plain") or longrepr["terminal"] for title, longrepr in shown.items()}

    def bare(text):
        return re.sub(r"\x1b\[[0-9;]*m|(?<=0x)[0-9a-f]+", "", text)

    found = texts(color)
    assert "ValueError: deep" in found["test_deep"]
    assert "\x1b" not in found["test_deep"]
    # The explanation of an assertion is coloured by pytest while the test runs: part of the message ever after.
    expected = {title: bare(text) for title, text in texts(mono).items()}
    assert {title: bare(text) for title, text in found.items()} == expected
    if style == "no":
        assert not any(report["longrepr"].get("terminal") for report in color.reports("failed"))


def test_counts_are_those_of_the_final_line(suite):
    ran = inner.run(suite)
    counts = {}
    for report in ran.data["reports"]:
        counts[report.get("category", "")] = counts.get(report.get("category", ""), 0) + 1
    counts["passed"] = counts.get("passed", 0) + sum(1 for _, plain in ran.data["plain"] if plain["when"] == "call")
    last = ran.out.splitlines()[-1]
    for category, word in (
        ("failed", "failed"),
        ("passed", "passed"),
        ("skipped", "skipped"),
        ("xfailed", "xfailed"),
        ("xpassed", "xpassed"),
        ("error", "error"),
    ):
        assert f"{counts[category]} {word}" in last


def test_nothing_is_told_of_plain_passes(suite):
    ran = inner.run(suite, "-k", "test_pass")
    assert ran.data["reports"] == []
    assert [plain["when"] for _, plain in ran.data["plain"]] == ["setup", "call", "teardown"]


def test_skips_carry_place_and_reason(suite):
    ran = inner.run(suite, "-k", "skip", "-rs")
    skips = {report["nodeid"].split("::")[-1]: report["longrepr"] for report in ran.reports("skipped")}
    assert skips["test_skip_mark"]["skip"][2] == "Skipped: by mark"
    line = skips["test_skip_call"]["skip"][1]
    assert f"test_suite.py:{line}: in call" in ran.out
    assert set(skips) == {"test_skip_mark", "test_skip_call", "test_unit_skip"}


def test_expected_failures_carry_their_reason(suite):
    ran = inner.run(suite, "-k", "xfail or xpass")
    assert [report["wasxfail"] for report in ran.reports("xfailed")] == ["known"]
    assert [report["wasxfail"] for report in ran.reports("xpassed")] == ["not known"]
    (strict,) = ran.reports("failed")
    assert strict["longrepr"]["crash"] == {"message": "[XPASS(strict)] strictly"}
    assert ran.reports("xfailed")[0]["longrepr"]["crash"]["message"].startswith("assert 0")
    assert "terminal" not in ran.reports("xfailed")[0]["longrepr"]


def test_xfail_tb(suite):
    version = tuple(map(int, pytest.__version__.split(".")[:2]))
    if version < (8, 1):
        pytest.skip("pytest has no --xfail-tb")
    ran = inner.run(suite, "--xfail-tb", "-rx")
    xfailed = ran.reports("xfailed")
    assert xfailed
    assert inner.rebuilt(xfailed, [report["head_line"] for report in xfailed], False) == ran.block("XFAILURES")


def test_output_of_passed_tests_when_wanted(tmp_path):
    (tmp_path / "test_a.py").write_text("def test_a():\n    print('said')\n", encoding="utf-8")
    assert inner.run(tmp_path).data["reports"] == []
    reports = inner.run(tmp_path, "-rP", rendering={"passed_output": True}).data["reports"]
    assert [report["when"] for report in reports] == ["call", "teardown"]
    assert reports[0]["sections"] == [["Captured stdout call", "said\n"]]
    assert reports[0]["category"] == "passed"


def test_markup_of_a_plugins_word(tmp_path):
    (tmp_path / "conftest.py").write_text(
        "def pytest_report_teststatus(report):\n"
        "    if report.when == 'call':\n"
        "        return 'odd', 'O', ('ODD', {'blue': True, 'bold': False})\n",
        encoding="utf-8",
    )
    (tmp_path / "test_a.py").write_text("def test_a(): pass\n", encoding="utf-8")
    ran = inner.run(tmp_path)
    (report, teardown) = ran.data["reports"]
    assert (report["category"], report["letter"], report["word"], report["markup"]) == ("odd", "O", "ODD", ["blue"])
    assert teardown["when"] == "teardown"
    assert "1 odd" in ran.out


@pytest.mark.skipif(not has_subtests(), reason="pytest has no subtests of its own")
def test_subtests_fail_the_test_that_contains_them(tmp_path):
    (tmp_path / "test_sub.py").write_text(textwrap.dedent(SUBTESTS), encoding="utf-8")
    ran = inner.run(tmp_path)
    mine = [report for report in ran.data["reports"] if report["nodeid"].endswith("::test_subtests")]
    assert [(report.get("subtest", False), report["outcome"]) for report in mine] == [
        (True, "passed"),
        (True, "failed"),
        (True, "passed"),
        (False, "failed"),
        (False, "passed"),
    ]
    assert mine[3]["longrepr"]["crash"] == {"message": "contains 1 failed subtest"}
    assert mine[1]["head_line"] == "test_subtests [number] (i=1)"
    loud = inner.run(tmp_path, "-v")
    assert len(loud.reports("subtests passed")) == 3
    assert "3 subtests passed" in loud.out.splitlines()[-1]


def test_explanations_are_highlighted_though_there_is_no_terminal(tmp_path):
    (tmp_path / "test_a.py").write_text("def test_a():\n    assert {1: 2} == {1: 3}\n", encoding="utf-8")
    serial = inner.run(tmp_path, color=True)
    worker = inner.run(tmp_path, color=None, rendering={"color": True})
    assert "\x1b[" in serial.reports("failed")[0]["longrepr"]["terminal"]
    assert serial.reports("failed")[0]["longrepr"] == worker.reports("failed")[0]["longrepr"]
