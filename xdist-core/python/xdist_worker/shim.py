"""`import xdist` where pytest-xdist is not installed.

The finder stands last in `sys.meta_path`: whatever else is called `xdist` on this machine is found before it.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Iterator, Optional

_PROJECT = "pytest-xdist"
# The release of pytest-xdist whose interface is provided.
COMPATIBLE = "3.8.0"
# Projects in whose place this program stands, and the releases whose behaviour is provided.
PROVIDED_PROJECTS = {_PROJECT: COMPATIBLE, "pytest-forked": "1.6.0"}


def is_xdist_worker(request_or_session: Any) -> bool:
    """Return whether this is a worker."""
    return hasattr(request_or_session.config, "workerinput")


def is_xdist_controller(request_or_session: Any) -> bool:
    """Return whether this is the process that distributes tests to workers."""
    config = request_or_session.config
    return not is_xdist_worker(request_or_session) and config.option.dist != "no"


def get_xdist_worker_id(request_or_session: Any) -> str:
    """Return the id of the worker ('gw0'), or 'master' if this is none."""
    if is_xdist_worker(request_or_session):
        return str(request_or_session.config.workerinput["workerid"])
    return "master"


def version(project: str = _PROJECT) -> str:
    """The version of an installed pytest-xdist, or of another of these projects, else the one provided here."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed(project)
    except PackageNotFoundError:
        return PROVIDED_PROJECTS[project]


# Modules of `xdist` and the files that they are loaded from. In pytest-xdist every scheduler has a module of its own.
_FILES = ("dsession", "newhooks", "plugin", "remote", "scheduler", "workermanage")
_SCHEDULERS = ("each", "load", "loadfile", "loadgroup", "loadscope", "protocol", "worksteal")
_PROVIDED = {f"xdist.{name}": name for name in _FILES}
_PROVIDED.update({f"xdist.scheduler.{name}": "scheduler" for name in _SCHEDULERS})
_PACKAGES = ("xdist", "xdist.scheduler")


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> Optional[ModuleType]:
        return None

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        if name == "xdist":
            _fill_package(module)
        elif name.startswith("xdist.scheduler."):
            whole = importlib.import_module("xdist.scheduler")
            module.__dict__.update({known: vars(whole)[known] for known in whole.__all__})
        else:
            path = os.path.join(os.path.dirname(__file__), "provided", f"{_PROVIDED[name]}.py")
            with open(path, encoding="utf-8") as file:
                exec(compile(file.read(), path, "exec"), module.__dict__)


def _fill_package(module: ModuleType) -> None:
    module.__doc__ = "The functions of pytest-xdist for tests and conftests."
    module.__dict__.update(
        __version__=COMPATIBLE,
        is_xdist_worker=is_xdist_worker,
        is_xdist_controller=is_xdist_controller,
        is_xdist_master=is_xdist_controller,
        get_xdist_worker_id=get_xdist_worker_id,
        __all__=[
            "__version__",
            "get_xdist_worker_id",
            "is_xdist_controller",
            "is_xdist_master",
            "is_xdist_worker",
        ],
    )


def _distribution() -> Any:
    from importlib.metadata import Distribution

    class Provided(Distribution):
        """Metadata of what is provided here."""

        def read_text(self, filename: str) -> Optional[str]:
            if filename in ("METADATA", "PKG-INFO"):
                return f"Metadata-Version: 2.1\nName: {_PROJECT}\nVersion: {COMPATIBLE}\n"
            return None

        def locate_file(self, path: Any) -> Any:
            return path

    return Provided()


class Finder(MetaPathFinder):
    """Finds `xdist` and its modules, and the distribution they come from."""

    def find_distributions(self, context: Any = None) -> Iterator[Any]:
        """Yield the distribution of pytest-xdist to who asks for it by name; lists of what is installed go without."""
        name = getattr(context, "name", None)
        if isinstance(name, str) and name.replace("_", "-").replace(".", "-").lower() == _PROJECT:
            yield _distribution()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Return how to load one of the modules provided here."""
        package = sys.modules.get("xdist")
        ours = isinstance(getattr(getattr(package, "__spec__", None), "loader", None), _Loader)
        if fullname == "xdist" or (ours and fullname in _PROVIDED):
            return ModuleSpec(fullname, _Loader(), origin="xdist_worker", is_package=fullname in _PACKAGES)
        return None


def install() -> None:
    """Put the finder where everything else comes first."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.append(Finder())
