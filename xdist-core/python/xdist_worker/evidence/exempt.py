"""The table of readers whose look at the worker's identity is no evidence.

Each row is a top-level module and the reason: either it only asks whether there is an identity, or what it makes of it
is set right after the fork. A plugin that is not here and reads the identity before the fork turns the run to
`imported`, which is always correct and only slower.
"""

from __future__ import annotations

EXEMPT_READERS: dict[str, str] = {
    "_pytest": "pytest asks only whether there is a worker input; what it keeps is set right in afterfork",
    "pytest": "as _pytest",
    "pluggy": "passes calls on",
    "pytest_cov": "names its data by node id; afterfork.coverage sets that id and the file's suffix in each worker",
    "coverage": "copies the environment for its configuration; afterfork.coverage gives each worker its own data file",
    "pytest_benchmark": "asks only whether the variable exists, to switch measuring off",
    "syrupy": "asks only whether there is a worker",
    "pytest_randomly": "reads its seed, which is equal in all workers",
    "_hypothesis_pytestplugin": "asks only whether there is a worker, to leave reporting to the controller",
    "hypothesis": "as its plugin; its data base directory is made for several processes",
}
"""Top-level module to reason."""
