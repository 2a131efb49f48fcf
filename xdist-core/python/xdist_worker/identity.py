"""Makes a pytest session look like worker `gwN`: environment, `config.workerinput`, forced options."""

from __future__ import annotations

import os
from typing import Any, Dict

# What a worker's options are, whatever the command line says: it is given its tests and distributes nothing itself.
FORCED_OPTIONS: Dict[str, Any] = {
    "looponfail": False,
    "usepdb": False,
    "trace": False,
    "dist": "no",
    "distload": False,
    "numprocesses": None,
    "maxprocesses": None,
}
_ENVIRONMENT = ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT", "PYTEST_XDIST_TESTRUNUID")


def set_environment(identity: Dict[str, Any]) -> None:
    """Set the environment variables of a worker."""
    values = (str(identity["id"]), str(identity["count"]), str(identity["testrunuid"]))
    for name, value in zip(_ENVIRONMENT, values):
        os.environ[name] = value


def clear_environment() -> None:
    """Take back `set_environment`: the process is no worker after all."""
    for name in _ENVIRONMENT:
        os.environ.pop(name, None)


def worker_input(identity: Dict[str, Any]) -> Dict[str, Any]:
    """The content of `config.workerinput`."""
    return {
        "workerid": identity["id"],
        "workercount": identity["count"],
        "testrunuid": identity["testrunuid"],
        "mainargv": list(identity["mainargv"]),
    }


def force_options(config: Any) -> None:
    """Set the options that every worker has."""
    for name, value in FORCED_OPTIONS.items():
        if hasattr(config.option, name):
            setattr(config.option, name, value)


def base_temp(config: Any) -> str:
    """The base temporary directory of the whole run, made as pytest itself makes it.

    Empty without that plugin, and where none can be made: then whichever test asks for one fails, as serially.
    """
    if not hasattr(config.option, "basetemp") or not config.pluginmanager.has_plugin("tmpdir"):
        return ""
    from _pytest.tmpdir import TempPathFactory

    try:
        return str(TempPathFactory.from_config(config, _ispytest=True).getbasetemp())
    except OSError:
        return ""


def set_base_temp(config: Any, path: str, incarnation: int) -> None:
    """Give the worker its own base temporary directory, to be made by pytest when a test first asks for one.

    pytest wipes what is there, and what a worker that died left is evidence: its replacement gets another directory.
    """
    if path and hasattr(config.option, "basetemp"):
        config.option.basetemp = f"{path}-{incarnation}" if incarnation else path
