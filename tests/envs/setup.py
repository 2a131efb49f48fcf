#!/usr/bin/env python3
"""Make the virtual environments of the demo, the tests and the benchmarks.

Usage: setup.py FOLDER demo|tests|bench|NAME...

Each environment is `FOLDER/NAME`, made from `NAME.txt` beside this script. It is left alone while its requirements,
its interpreter and its place are those it was made with, so that a second call takes no time. Standard library only;
runs on Python 3.9 and newer.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent

NAMES = sorted(path.stem for path in HERE.glob("*.txt"))
GROUPS = {
    "demo": ["demo"],
    "bench": [name for name in NAMES if name.startswith("bench-") or name == "real"],
    "tests": [name for name in NAMES if name != "demo" and not name.startswith("bench-")],
}
# What the tests run beside interpreters, and Debian's packages of it.
PROGRAMS = {
    "c++": "g++",
    "rsync": "rsync",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "bash": "bash",
    "dash": "dash",
    "zsh": "zsh",
    "fish": "fish",
    "tcsh": "tcsh",
    "busybox": "busybox-static",
}


class SetupError(Exception):
    """Something that the reader has to do first."""


def main() -> int:
    """Make what the arguments name."""
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(sys.argv[1]).absolute()
    names = [name for word in sys.argv[2:] for name in GROUPS.get(word, [word])]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder / ".lock"):
            for name in names:
                make(folder / name, HERE / f"{name}.txt")
            if "tests" in sys.argv[2:]:
                programs()
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one call at a time work on the folder."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def programs() -> None:
    """Have what the tests of other hosts run: sshd, the login shells that hosts may have, networks."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    missing = sorted({package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)})
    if missing:
        installed(None, missing)


def make(env: Path, requirements: Path) -> None:
    """Make one environment unless it is there as wanted."""
    if not requirements.is_file():
        raise SetupError(f"there is no environment {env.name}: {requirements} does not exist")
    python = interpreter(env.name)
    key = "\n".join([str(env), python, version(python), wanted(requirements)])
    digest = hashlib.sha256(key.encode()).hexdigest()
    stamp = env / ".stamp"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print(f"setting up {env}", flush=True)
    shutil.rmtree(env, ignore_errors=True)
    create(python, env)
    install(python, env, requirements)
    stamp.write_text(digest)


def wanted(requirements: Path) -> str:
    """The text of a file of requirements and of those that it names by `-r`."""
    text = requirements.read_text()
    named = [line[3:].strip() for line in text.splitlines() if line.startswith("-r ")]
    return "\n".join([text, *(wanted(requirements.with_name(name)) for name in named)])


def interpreter(name: str) -> str:
    """Path of the interpreter that an environment is made from."""
    if name.startswith("pypy"):
        return shutil.which("pypy3") or installed("pypy3", ["pypy3", "pypy3-venv"])
    if name.startswith("py311"):
        # The name says what is tested where the project is developed; elsewhere it is whatever runs this script.
        return real(shutil.which("python3.11") or sys.executable)
    return real(sys.executable)


@functools.lru_cache(maxsize=None)
def real(python: str) -> str:
    """The interpreter itself behind a version manager's shim, or the base of a virtual environment."""
    code = "import sys; print(getattr(sys, '_base_executable', None) or sys.executable)"
    asked = run([python, "-I", "-c", code])
    return asked.stdout.strip() if asked.returncode == 0 else sys.executable


@functools.lru_cache(maxsize=None)
def version(python: str) -> str:
    """What the interpreter calls itself."""
    asked = run([python, "-I", "-c", "import sys; print(sys.version)"])
    if asked.returncode != 0:
        raise SetupError(f"{python} does not run:\n{asked.stderr}")
    return asked.stdout


def create(python: str, env: Path) -> None:
    """Make an empty environment, with pip in it where the interpreter can do that."""
    if run([python, "-m", "venv", str(env)]).returncode == 0:
        return
    # Debian splits `ensurepip` off: then the interpreter's own pip, if there is one, fills the environment.
    shutil.rmtree(env, ignore_errors=True)
    package = "pypy3-venv" if "pypy" in Path(python).name else "python3-venv"
    if run([python, "-m", "pip", "--version"]).returncode != 0:
        installed(None, [package])
        asked = run([python, "-m", "venv", str(env)])
    else:
        asked = run([python, "-m", "venv", "--without-pip", str(env)])
    if asked.returncode != 0:
        raise SetupError(
            f"{python} cannot make a virtual environment:\n{asked.stdout}{asked.stderr}\n"
            f"hint: install the package `{package}` (Debian, Ubuntu) or a Python that brings `venv` and `pip`"
        )


def install(python: str, env: Path, requirements: Path) -> None:
    """Install exactly what the file lists."""
    inside = str(env / "bin" / "python")
    pip = [inside, "-m", "pip"]
    if run([*pip, "--version"]).returncode != 0:
        pip = [python, "-m", "pip", "--python", inside]
    command = [*pip, "install", "--quiet", "--no-warn-script-location", "--requirement", str(requirements)]
    asked = run(command)
    if asked.returncode != 0:
        raise SetupError(f"`{' '.join(command)}` failed:\n{asked.stdout}{asked.stderr}")


def installed(program: str | None, packages: list[str]) -> str:
    """Install Debian packages where that is possible without asking, and return the path of `program`."""
    words = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(f"this needs the Debian packages `{words}`\nhint: sudo apt-get install {words}")
    print(f"installing {words}", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], ["apt-get", "install", "-q", "-y", *packages]):
        asked = run(command, environment)
        if asked.returncode != 0:
            raise SetupError(f"`{' '.join(command)}` failed:\n{asked.stdout}{asked.stderr}")
    path = shutil.which(program) if program else ""
    if path is None:
        raise SetupError(f"`{program}` is still not on PATH after installing {words}")
    return path


def run(command: list[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command without input and keep what it says."""
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, check=False
    )


if __name__ == "__main__":
    sys.exit(main())
