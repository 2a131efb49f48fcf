"""Compiles the modules, and keeps the result for the next time. Runs only if that was not done before."""

import marshal
import os
import sys


def compile_all(path, texts):
    pairs = zip(texts[::2], texts[1::2])
    codes = [(name, compile(source, f"<{name}>", "exec", dont_inherit=True)) for name, source in pairs]
    if path and not sys.dont_write_bytecode:
        keep(path, codes)
    return codes


def keep(path, codes):
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            marshal.dump(codes, file)
        os.replace(temporary, path)
    except OSError:
        pass
