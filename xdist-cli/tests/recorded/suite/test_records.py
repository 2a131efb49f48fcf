"""What tests record, and text that XML cannot hold."""

import sys

import pytest


def test_properties(record_property):
    record_property("number", 1)
    record_property("text", 'a < b & "c"\n\td\x00\x7f')
    record_property("text", "again")


def test_attributes(record_xml_attribute):
    record_xml_attribute("assertions", 3)
    record_xml_attribute("classname", "of.my.own")
    record_xml_attribute("note", 'one\ntwo\t"three"')


def test_attributes_and_failure(record_xml_attribute):
    record_xml_attribute("assertions", 0)
    raise ValueError("with attributes")


def test_attributes_and_two_failures(record_xml_attribute, broken_teardown):
    record_xml_attribute("assertions", 2)
    raise ValueError("first")


def test_suite_properties(record_testsuite_property):
    record_testsuite_property("ARCH", "PPC")
    record_testsuite_property("odd", "\x01 < \x7f")


def test_control_characters():
    print("out \x00\x1b[31m ]]> \x7f \U0001f600 \r\n\x0b end")
    print("err \ufffe", file=sys.stderr)
    raise ValueError("message \x00\x1b[31m ]]> \x7f \U0001f600 \u2028 <&>\"'")


def test_long_line():
    raise ValueError("x" * 700)


def test_long_line_among_lines():
    raise ValueError("y" * 700 + "\nshort")


def test_many_lines():
    raise ValueError("\n".join(f"line {number} " + "z" * 60 for number in range(20)))


def test_exactly_at_the_limit():
    raise ValueError("w" * 488)


def test_chain():
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise RuntimeError("outer") from error


def test_fails_without_traceback():
    pytest.fail("plain\ntext", pytrace=False)


def test_exits_system():
    sys.exit(3)
