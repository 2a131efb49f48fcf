"""The pytest plugin that every session has, plain or distributed: options, hooks, names, fixtures.

It is registered before pytest looks for installed plugins, under the names that pytest-xdist and pytest-forked would
take, so installed ones stay out of the way and plugins that ask for one find one. `-p no:xdist` and `-p xdist.plugin`
find those names too and change nothing.
"""

from __future__ import annotations

from typing import Any, List, Tuple

import pytest

from . import fixtures, newhooks, shim
from .distribution import distributes_alone
from .options import add_options

NAMES = ("xdist", "xdist.plugin", "xdist.looponfail", "pytest_forked")


class _StandIn:
    """Has a name that plugins look for, and nothing else."""


class _Distribution:
    """What pytest needs to know of an installed distribution in order to check `required_plugins`."""

    def __init__(self, name: str) -> None:
        self.project_name = name
        self.metadata = {"name": name, "Name": name}

    @property
    def version(self) -> str:
        """The version of what is installed by that name, else the one whose behaviour is provided here."""
        return shim.version(self.project_name)


class OptionsPlugin:
    """Options, hook specifications and stand-ins; knows nothing of the controller."""

    def __init__(self) -> None:
        self._distinfo: List[Tuple[Any, Any]] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_addhooks(self, pluginmanager: Any) -> None:
        """Take the names before pytest loads installed plugins, and have `required_plugins` find them."""
        pluginmanager.add_hookspecs(newhooks)
        for name in NAMES:
            if not pluginmanager.is_blocked(name) and not pluginmanager.has_plugin(name):
                pluginmanager.register(_StandIn(), name)
        pluginmanager.register(fixtures, "xdist_worker.fixtures")
        shim.install()
        known = getattr(pluginmanager, "_plugin_distinfo", None)
        if isinstance(known, list):
            self._distinfo += [(self, _Distribution(name)) for name in shim.PROVIDED_PROJECTS]
            known += self._distinfo

    def pytest_addoption(self, parser: Any) -> None:
        """Register options and ini keys; usage errors speak of `pytest`, whatever `sys.argv` is at that time."""
        parser.prog = "pytest"
        add_options(parser)

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self, early_config: Any) -> None:
        """`required_plugins` was checked: the header lists installed plugins only.

        Who looks at known arguments for a distributed run, such as pytest-cov, is to find that boxes, a loop or `--tx`
        make it one.
        """
        namespace = early_config.known_args_namespace
        said = namespace.numprocesses or namespace.distload or getattr(namespace, "dist", "no") != "no"
        if not said and distributes_alone(namespace):
            if namespace.tx:
                namespace.dist = "load"
            else:
                namespace.numprocesses = 1
        known = getattr(early_config.pluginmanager, "_plugin_distinfo", None)
        if isinstance(known, list):
            known[:] = [entry for entry in known if not any(entry is own for own in self._distinfo)]
