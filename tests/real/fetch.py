#!/usr/bin/env python3
"""Fetch the source package of a real project, check it, unpack it into `.cache/suites`, print where it is.

Usage: fetch.py NAME. The versions and checksums are in `suites.json` beside this script. A package that is there
already is not fetched again; several processes may ask for one package at the same time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / ".cache" / "suites"


def main() -> int:
    """Fetch what the argument names."""
    known = json.loads((HERE / "suites.json").read_text())
    if len(sys.argv) != 2 or sys.argv[1] not in known:
        print(f"{__doc__}\nknown: {', '.join(known)}", file=sys.stderr)
        return 2
    print(fetch(sys.argv[1], **known[sys.argv[1]]))
    return 0


def fetch(name: str, version: str, sha256: str) -> Path:
    """Return the folder of the unpacked package."""
    target = CACHE / f"{name}-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
                archive = download(f"{name}=={version}", Path(scratch))
                check(archive, sha256)
                unpack(archive, Path(scratch) / "tree").rename(target)
    return target


def download(requirement: str, folder: Path) -> Path:
    """Let pip put the source package into the folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    asked = subprocess.run(
        [*command, "--dest", str(folder), requirement], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    archives = list(folder.glob("*.tar.gz"))
    if len(archives) != 1:
        sys.exit(f"error: pip brought no source package of {requirement}\n{asked.stdout}{asked.stderr}")
    return archives[0]


def check(archive: Path, sha256: str) -> None:
    """Refuse a package that is not the one that was pinned."""
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != sha256:
        sys.exit(f"error: {archive.name} has checksum {found} and not {sha256}")


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack, and return the one directory that was inside."""
    folder.mkdir()
    with tarfile.open(archive) as tar:
        inside = [member for member in tar.getmembers() if not member.name.startswith(("/", ".."))]
        tar.extractall(folder, members=inside)
    (root,) = folder.iterdir()
    return root


if __name__ == "__main__":
    sys.exit(main())
