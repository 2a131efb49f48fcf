import json
import os
from pathlib import Path


def meet(place):
    """Wait for the other worker."""
    with open(place, "w" if os.environ["PYTEST_XDIST_WORKER"] == "gw0" else "r"):
        pass


def test_layout(server, elsewhere, client, statements, tmp_path_factory):
    meet("first")
    parent = tmp_path_factory.getbasetemp().parent
    found = {
        "port": server.port,
        "taken": sorted(path.name for path in parent.glob("postgresql-*.port")),
        "datadir": os.path.relpath(server.datadir, parent),
        "logfile": os.path.relpath(server.logfile, parent),
        "running": server.running(),
        "names": [server.dbname, server.template_dbname, elsewhere.dbname, elsewhere.template_dbname],
        "client": client.dbname,
        "statements": statements,
    }
    Path(f"layout-{os.environ['PYTEST_XDIST_WORKER']}.json").write_text(json.dumps(found))
    meet("second")
