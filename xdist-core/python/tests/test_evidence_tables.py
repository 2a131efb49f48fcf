"""The tables of libraries, modules and plugins: every row has its mechanism tested."""

from __future__ import annotations

import re
import sys
import types
from types import SimpleNamespace

import pytest

from xdist_worker.evidence import libraries, modules, plugins

FILES = {
    "OpenBLAS": "libscipy_openblas64_-56d6093b.so",
    "LLVM/Intel OpenMP": "libiomp5.so",
    "GNU OpenMP": "libgomp-a34b3233.so.1.0.0",
    "gRPC": "cygrpc.cpython-311-x86_64-linux-gnu.so",
    "CUDA": "libcuda.so.550.1",
    "the Java virtual machine": "libjvm.so",
    "TensorFlow": "libtensorflow_framework.so.2",
    "polars": "polars.abi3.so",
}


@pytest.mark.parametrize("row", libraries.LIBRARIES, ids=lambda row: row.name)
def test_threads_are_judged_by_library(row, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    found = libraries.judge(["python"] * 2, {"libc.so.6", FILES[row.name]})
    assert (found is None) == row.safe
    if not row.safe:
        assert found == f"{row.name} is loaded and 2 native threads run (python) ({row.reason})"


@pytest.mark.parametrize("row", libraries.LIBRARIES, ids=lambda row: row.name)
def test_library_without_threads_is_no_evidence(row):
    assert libraries.judge([], {FILES[row.name]}) is None


def test_threads_beyond_the_safe_pool_belong_to_the_unsafe_library(monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    files = {FILES["OpenBLAS"], FILES["GNU OpenMP"]}
    assert libraries.judge(["python"] * 2, files) is None
    assert "GNU OpenMP" in libraries.judge(["python"] * 3, files)


def test_unknown_native_thread_is_evidence():
    assert libraries.judge(["io-0"], {"libc.so.6"}) == "1 native thread runs (io-0) that Python does not know"


@pytest.mark.parametrize("name", libraries.SAFE_NAMES)
def test_thread_of_a_safe_name_is_no_evidence(name):
    assert libraries.judge([name], {"libc.so.6"}) is None
    assert libraries.judge([name, "other"], {"libc.so.6"}) is not None


def no() -> bool:
    return False


def yes() -> bool:
    return True


IN_USE = {
    "torch.cuda": ({"is_initialized": yes}, {"is_initialized": no}),
    "pycuda.driver": (
        {"Context": SimpleNamespace(get_current=lambda: 1)},
        {"Context": SimpleNamespace(get_current=lambda: None)},
    ),
    "numba.cuda.cudadrv.driver": (
        {"driver": SimpleNamespace(is_initialized=True)},
        {"driver": SimpleNamespace(is_initialized=False)},
    ),
    "pycuda.autoinit": ({"context": 1}, {}),
    "pyopencl": ({"_DEFAULT_CONTEXT": 1}, {}),
    "jax._src.xla_bridge": ({"_backends": {"cpu": 1}}, {"_backends": {}}),
    "tensorflow.python.eager.context": (
        {"context": lambda: SimpleNamespace(_initialized=True)},
        {"context": lambda: SimpleNamespace(_initialized=False)},
    ),
    "mpi4py.MPI": (
        {"Is_initialized": yes, "Is_finalized": no},
        {"Is_initialized": yes, "Is_finalized": yes},
    ),
    "jpype": ({"isJVMStarted": yes}, {"isJVMStarted": no}),
    "gi.repository.Gdk": (
        {"Display": SimpleNamespace(get_default=lambda: 1)},
        {"Display": SimpleNamespace(get_default=lambda: None)},
    ),
    "gi.repository.Gio": (
        {"Application": SimpleNamespace(get_default=lambda: 1)},
        {"Application": SimpleNamespace(get_default=lambda: None)},
    ),
    "wx": ({"GetApp": lambda: 1}, {"GetApp": lambda: None}),
    "tkinter": ({"_default_root": 1}, {"_default_root": None}),
    "pygame.display": ({"get_init": yes}, {"get_init": no}),
    "ray": ({"is_initialized": yes}, {"is_initialized": no}),
    "pyspark": (
        {"SparkContext": SimpleNamespace(_active_spark_context=1)},
        {"SparkContext": SimpleNamespace(_active_spark_context=None)},
    ),
    "jnius": ({}, None),
}
for qt in ("PyQt5", "PyQt6", "PySide2", "PySide6"):
    IN_USE[f"{qt}.QtCore"] = (
        {"QCoreApplication": SimpleNamespace(instance=lambda: 1)},
        {"QCoreApplication": SimpleNamespace(instance=lambda: None)},
    )


def loaded(name, attributes):
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    return module


@pytest.mark.parametrize("row", modules.MODULES, ids=lambda row: row.module)
def test_module_counts_once_initialised(row, monkeypatch):
    used, unused = IN_USE[row.module]
    monkeypatch.delitem(sys.modules, row.module, raising=False)
    assert modules.check() is None
    if unused is not None:
        monkeypatch.setitem(sys.modules, row.module, loaded(row.module, unused))
        assert modules.check() is None
    monkeypatch.setitem(sys.modules, row.module, loaded(row.module, used))
    assert modules.check() == row.what


def configuration(names, options):
    return SimpleNamespace(
        pluginmanager=SimpleNamespace(hasplugin=names.__contains__),
        getoption=lambda name, default=None: options.get(name, default),
    )


OPTIONS = {"pytest-testmon": {"testmon": True}, "ddtrace": {"ddtrace": True}}


@pytest.mark.parametrize("row", plugins.PLUGINS, ids=lambda row: row.distribution)
def test_plugin_counts_when_in_use(row):
    options = OPTIONS.get(row.distribution, {})
    assert plugins.check(configuration(set(), options)) is None
    for name in row.names:
        found = plugins.check(configuration({name}, options))
        assert found == f"plugin {row.distribution} {row.reason}"
        if options:
            assert plugins.check(configuration({name}, {})) is None


def test_patterns_are_distinct():
    for file in FILES.values():
        assert sum(bool(re.search(row.pattern, file)) for row in libraries.LIBRARIES) == 1
