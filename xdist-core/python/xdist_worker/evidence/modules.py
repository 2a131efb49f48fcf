"""The table of libraries whose initialised state does not survive a fork, by their own documents.

Importing one is no evidence; each row has a probe that tells whether it is in use. Probes run only on modules that are
already imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple


class Module(NamedTuple):
    """A row: the module to look for, what to say, and whether it is initialised."""

    module: str
    what: str
    probe: Callable[[Any], object]


def _qt(module: Any) -> object:
    return module.QCoreApplication.instance() is not None


MODULES: tuple[Module, ...] = (
    Module("torch.cuda", "a CUDA context exists (torch)", lambda m: m.is_initialized()),
    Module("pycuda.driver", "a CUDA context exists (pycuda)", lambda m: m.Context.get_current() is not None),
    Module("numba.cuda.cudadrv.driver", "a CUDA context exists (numba)", lambda m: m.driver.is_initialized),
    Module("pycuda.autoinit", "a CUDA context exists (pycuda)", lambda m: getattr(m, "context", None) is not None),
    Module("pyopencl", "OpenCL contexts exist (pyopencl)", lambda m: getattr(m, "_DEFAULT_CONTEXT", None) is not None),
    Module("jax._src.xla_bridge", "jax has started its backends", lambda m: bool(m._backends)),
    Module("tensorflow.python.eager.context", "TensorFlow is initialised", lambda m: m.context()._initialized),
    Module("mpi4py.MPI", "MPI is initialised", lambda m: m.Is_initialized() and not m.Is_finalized()),
    Module("jpype", "a Java virtual machine runs (jpype)", lambda m: m.isJVMStarted()),
    Module("jnius", "a Java virtual machine runs (jnius)", lambda _m: True),
    Module("PyQt5.QtCore", "a Qt application exists (PyQt5)", _qt),
    Module("PyQt6.QtCore", "a Qt application exists (PyQt6)", _qt),
    Module("PySide2.QtCore", "a Qt application exists (PySide2)", _qt),
    Module("PySide6.QtCore", "a Qt application exists (PySide6)", _qt),
    Module("gi.repository.Gdk", "GTK is connected to a display", lambda m: m.Display.get_default() is not None),
    Module("gi.repository.Gio", "a GTK application exists", lambda m: m.Application.get_default() is not None),
    Module("wx", "a wxPython application exists", lambda m: m.GetApp() is not None),
    Module("tkinter", "a Tk window exists", lambda m: getattr(m, "_default_root", None) is not None),
    Module("pygame.display", "pygame holds a display", lambda m: m.get_init()),
    Module("ray", "ray is initialised", lambda m: m.is_initialized()),
    Module("pyspark", "a Spark context exists", lambda m: m.SparkContext._active_spark_context is not None),
)


def check() -> str | None:
    """The first library in use that does not survive a fork."""
    for row in MODULES:
        module = sys.modules.get(row.module)
        if module is not None and _initialised(row, module):
            return row.what
    return None


def _initialised(row: Module, module: Any) -> bool:
    """A probe that fails says nothing: other versions of the library may look different."""
    try:
        return bool(row.probe(module))
    except Exception:
        return False
