"""A pytest run that collects, looks for evidence and forks: the smallest user of `evidence` and `afterfork`.

Run as a program: `fork_driver.py PLAN ARGUMENTS…`, where PLAN is a file of JSON: `workers` (a list of identities),
`out` (a folder for what it finds), `together` (whether workers run at the same time). It writes `report.json`: the
evidence and each worker's exit status.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pytest

from xdist_worker import afterfork
from xdist_worker.evidence import Watch


class Driver:
    """Plays the collector, and in its children the workers."""

    def __init__(self, plan: dict) -> None:
        self.plan = plan
        self.out = Path(plan["out"])
        self.role = "collector"
        self.report = {"first": [], "evidence": None, "statuses": [], "failures": []}
        self.watch = Watch(self.report["first"].append)

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config):
        config.workerinput = self.watch.track({"workerid": "gw0", "workercount": 2, "testrunuid": "run"})
        config.workerinput.update(afterfork.worker_inputs(config))
        config.workeroutput = {}
        if self.plan["base"]:
            config.option.basetemp = f"{self.plan['base']}/popen-gw0"

    def pytest_runtestloop(self, session):
        self.report["evidence"] = self.watch.check(session.config)
        if self.plan["workers"]:
            afterfork.prepare(session.config, session)
        pids: list[int] = []
        for identity in self.plan["workers"]:
            pid = os.fork()
            if pid == 0:
                self.work(session, identity)
                return True
            pids.append(pid)
            if not self.plan["together"]:
                self.reap(pids)
        self.reap(pids)
        return True

    def reap(self, pids):
        while pids:
            self.report["statuses"].append(os.waitpid(pids.pop(0), 0)[1])

    def work(self, session, identity):
        self.role = "worker"
        self.watch.stop()
        os.environ["PYTEST_XDIST_WORKER"] = identity["id"]
        session.config.workerinput.update(workerid=identity["id"])
        name = f"{identity['id']}-{identity['incarnation']}"
        afterfork.redirect_stdio(str(self.out / f"{name}.out"), str(self.out / f"{name}.err"))
        afterfork.repair(session.config, session, identity)
        items = session.items
        for index, item in enumerate(items):
            following = items[index + 1] if index + 1 < len(items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            with open(self.out / "failures", "a") as file:
                file.write(f"{report.nodeid} {report.longreprtext}\n")


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    afterfork.watch_seed()
    afterfork.freeze_imports()
    os.environ["PYTEST_XDIST_WORKER"] = "gw0"
    for identity in plan["workers"]:
        for stream in ("out", "err"):
            (Path(plan["out"]) / f"{identity['id']}-{identity['incarnation']}.{stream}").touch()
    driver = Driver(plan)
    begin = time.perf_counter()
    driver.watch.start()
    driver.report["start_ms"] = (time.perf_counter() - begin) * 1000
    code = int(pytest.main(sys.argv[2:], plugins=[driver]))
    if driver.role == "worker":
        afterfork.finish_worker(code)
    driver.watch.stop()
    (driver.out / "report.json").write_text(json.dumps({**driver.report, "code": code}))
    afterfork.finish_collector(code)


if __name__ == "__main__":
    main()
