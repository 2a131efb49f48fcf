from pytest_bdd import given, parsers, scenarios, then, when

scenarios("sums.feature")


@given(parsers.parse("the number {a:d}"), target_fixture="number")
def number(a):
    return {"value": a}


@when(parsers.parse("I add {b:d}"))
def add(number, b):
    number["value"] += b


@then(parsers.parse("I have {c:d}"))
def have(number, c):
    assert number["value"] == c
