"""Makes modules of sources that came with this program, or of what was compiled from them before."""

import marshal
import os
import sys


def load(modules, key, cache):
    path = cache and os.path.join(cache, f"endpoint-{key}-{sys.implementation.cache_tag}-{sys.hexversion:x}.marshal")
    codes = path and read_compiled(path)
    if not codes:
        codes = [compile(source, f"<{name}>", "exec", dont_inherit=True) for name, source in modules]
        if path and not sys.dont_write_bytecode:
            write_compiled(path, codes)
    for (name, _), code in zip(modules, codes):
        module = sys.modules[name] = type(sys)(name)
        if "." not in name:
            module.__path__ = []
        else:
            setattr(sys.modules[name.partition(".")[0]], name.partition(".")[2], module)
        exec(code, module.__dict__)


def read_compiled(path):
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            # What somebody else could have written is not run.
            if status.st_uid == os.getuid() and not status.st_mode & 0o022:
                return marshal.load(file)
    except (OSError, ValueError, EOFError, TypeError):
        pass
    return None


def write_compiled(path, codes):
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            marshal.dump(codes, file)
        os.replace(temporary, path)
    except OSError:
        pass
