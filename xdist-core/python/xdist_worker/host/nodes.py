"""What plugins of the controller's side are given for a worker: a node with its gateway, as pytest-xdist has them."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from _pytest.reports import getworkerinfoline


class Spec:
    """Where a worker runs, as text and by its parts."""

    def __init__(self, text: str, name: str) -> None:
        self._spec = text
        self.execmodel = "main_thread_only"
        self.env: dict[str, str] = {}
        for part in text.split("//"):
            key, given, value = part.partition("=")
            if key.startswith("env:"):
                self.env[key[4:]] = value
            elif not key.startswith("_"):
                setattr(self, key, value if given else True)
        # Nodes are known by it here, whatever the environment is called.
        self.id = name

    def __getattr__(self, name: str) -> None:
        """A part that was not given."""
        if name.startswith("_"):
            raise AttributeError(name)
        return None

    def __str__(self) -> str:
        return self._spec

    def __repr__(self) -> str:
        return f"<XSpec {self._spec!r}>"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self._spec)


class Gateway:
    """A worker's place."""

    def __init__(self, name: str, spec: Spec) -> None:
        self.id = name
        self.spec = spec
        self.node: Node | None = None

    def _rinfo(self, update: bool = False) -> SimpleNamespace:
        """What is known of the interpreter at that place."""
        info = self.node.workerinfo if self.node is not None else {}
        return SimpleNamespace(
            executable=info.get("executable", sys.executable),
            version_info=info.get("version_info", tuple(sys.version_info)),
            platform=sys.platform,
            cwd=info.get("cwd") or os.getcwd(),
            pid=os.getpid(),
        )

    def __repr__(self) -> str:
        return f"<Gateway id={self.id!r}>"


class Node:
    """A worker. `workeroutput` is there once the worker has ended well."""

    workeroutput: dict[str, Any]

    def __init__(self, manager: NodeManager, gateway: Gateway, workerinput: dict[str, Any]) -> None:
        self.nodemanager = manager
        self.gateway = gateway
        gateway.node = self
        self.config = manager.config
        self.workerinput = workerinput
        self.shutting_down = False
        self.workerinfo: dict[str, Any] = {
            "id": gateway.id,
            "spec": gateway.spec,
            "version": sys.version,
            "version_info": tuple(sys.version_info),
            "sysplatform": sys.platform,
            "platform": platform.platform(),
            "executable": sys.executable,
            "cwd": os.getcwd(),
        }

    def runs_on(self, interpreter: dict[str, str], label: str) -> None:
        """Know the environment of that name, whose interpreter is not that of this process."""
        version = interpreter["version"]
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
        info = {"version_info": (*numbers, "final", 0), "version": f"{version} ({interpreter['implementation']})"}
        self.workerinfo.update(info, sysplatform=interpreter["platform"], executable=interpreter["executable"])
        self.workerinfo["cwd"] = interpreter.get("cwd") or self.workerinfo["cwd"]
        # What pytest writes above a failure, and remembers here.
        vars(self).pop("_workerinfocache", None)
        self._workerinfocache = f"{getworkerinfoline(self)} [{label}]"

    def __repr__(self) -> str:
        return f"<WorkerController {self.gateway.id}>"


class NodeManager:
    """All workers' places."""

    EXIT_TIMEOUT = 10
    """Seconds that a worker has to leave."""

    def __init__(self, config: Any, specs: list[str], testrunuid: str, mainargv: list[str]) -> None:
        self.config = config
        self.testrunuid = testrunuid
        self.mainargv = mainargv
        self.specs = [Spec(text, f"gw{number}") for number, text in enumerate(specs)]
        self.roots: list[Path] = []
        self.nodes: dict[str, Node] = {}
        # By worker, where it is not that of this process.
        self.interpreters: dict[str, dict[str, str]] = {}
        # By worker, where there are several: what its environment is called.
        self.labels: dict[str, str] = {}

    def make(self, name: str) -> Node:
        """A node for the worker of that id, which nobody was told of yet."""
        number = int(name[2:])
        gateway = Gateway(name, self.specs[number])
        content = {
            "workerid": name,
            "workercount": len(self.specs),
            "testrunuid": self.testrunuid,
            "mainargv": list(self.mainargv),
        }
        node = self.nodes[name] = Node(self, gateway, content)
        if name in self.interpreters:
            node.runs_on(self.interpreters[name], self.labels.get(name, ""))
        return node
