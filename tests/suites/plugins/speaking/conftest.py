"""A conftest with a part on the controller's side: it speaks, and keeps count of how often it is asked."""


def pytest_report_header():
    return "HEADER-LINE"


def pytest_report_collectionfinish(items):
    return f"COLLECTED-LINE {len(items)}"


def pytest_terminal_summary(terminalreporter, exitstatus):
    terminalreporter.section("OWN SUMMARY")
    terminalreporter.line(f"SUMMARY-LINE {int(exitstatus)}")


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        write("finished")


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        write("unconfigured")


def write(name):
    with open(name, "a") as file:
        file.write("x")
