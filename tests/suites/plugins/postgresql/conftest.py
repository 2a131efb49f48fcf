"""pytest-postgresql with stand-ins for the server's program and for connections with it."""

from pathlib import Path

import psycopg
import pytest
from pytest_postgresql import factories

HERE = Path(__file__).parent
PORTS = {int(port) for port in (HERE / "ports").read_text().split()}
STATEMENTS = []

server = factories.postgresql_proc(executable=str(HERE / "pg_ctl"), port=[PORTS])
elsewhere = factories.postgresql_noproc(port=1)
client = factories.postgresql("server")


class Connection:
    """A connection, and its cursor. No database is there before it is made."""

    def __init__(self, dbname, **_more):
        self.dbname = dbname

    def cursor(self):
        return self

    def execute(self, statement, values=()):
        text = statement if isinstance(statement, str) else statement.as_string(None)
        STATEMENTS.append([self.dbname, text, *values])

    def fetchone(self):
        return None

    def close(self):
        pass


@pytest.fixture(scope="session", autouse=True)
def connections():
    psycopg.connect = Connection


@pytest.fixture(scope="session")
def statements():
    return STATEMENTS
