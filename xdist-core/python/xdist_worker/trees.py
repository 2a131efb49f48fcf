"""What is to be brought to other hosts, and where the paths are that the arguments name (`TreeFacts`).

Options, ini files and initial conftests are read here; which files that makes is the controller's affair.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from typing import Any

import pytest

from . import conftest_options
from .distribution import ini
from .rerun import Option, options_of
from .safe_text import attribute, text

LINKS = ("refuse", "skip", "keep", "copy")

# Options of pytest whose values are paths that must exist, or mean, the same on a host; by their `dest`.
_PATHS = frozenset(("confcutdir", "ignore", "ignore_glob", "inifilename", "rootdir"))
# Options of plugins, by their `dest`, that name a file which rules how tests run: it goes along.
_FILES = ("cov_config", "mypy_config_file", "pylint_rcfile")
# Keys of the configuration file that mean nothing there, or go another way.
_OWN = frozenset(("addopts", "looponfailroots", "rsyncdirs", "rsyncignore", "rsyncinclude"))
# How the values of other keys are written, by their type.
_WRITTEN = {None: "text", "string": "text", "linelist": "lines", "args": "words", "paths": "words", "pathlist": "words"}
# A word with an absolute path: `--cov=/src`, `xml:/report.xml`, `pythonpath=/src`.
_ABSOLUTE = re.compile(r"((?:-{0,2}[\w.-]+=)?(?:\w+:)?)(/[^:]+)(.*)", re.DOTALL)


def tree_facts(config: Any, args: Sequence[str]) -> dict[str, object] | None:
    """Return `TreeFacts`; None if nothing is to be brought anywhere."""
    option = config.option
    here = str(config.invocation_params.dir)
    roots = [os.path.join(here, root) for root in getattr(option, "rsyncdir", None) or ()]
    roots += [str(root) for root in ini(config, "rsyncdirs", ())]
    roots += conftest_options.paths(config, "rsyncdirs")
    if not roots:
        return None
    ignore = [*(getattr(option, "rsyncignore", None) or ()), *(str(path) for path in ini(config, "rsyncignore", ()))]
    include = [*(getattr(option, "rsyncinclude", None) or ()), *(str(path) for path in ini(config, "rsyncinclude", ()))]
    return {
        "roots": [text(os.path.normpath(root)) for root in roots],
        "ignore": [text(glob) for glob in ignore + conftest_options.paths(config, "rsyncignore")],
        "include": [text(glob) for glob in include + conftest_options.paths(config, "rsyncinclude")],
        "links": text(getattr(option, "rsynclinks", None) or LINKS[0]),
        "gitignore": bool(getattr(option, "rsyncgitignore", True)),
        "dry_run": bool(getattr(option, "rsyncdryrun", False)),
        "configfile": "" if config.inipath is None else text(os.path.abspath(str(config.inipath))),
        "files": [text(path) for path in _files(option, here)],
        "words": _words(config, args, here),
        "addopts": _words(config, _ini_words(config), here),
        "environment": _words(config, _environment_words(), here),
        "inis": _inis(config),
        "named": [text(path) for path in _named(config, here)],
    }


def check_dry_run(option: Any, plain: str | None, trees: dict[str, object] | None) -> None:
    """Raise `pytest.UsageError` where a dry run would run tests, because there is nothing to show."""
    if not getattr(option, "rsyncdryrun", False):
        return
    if plain is not None:
        raise pytest.UsageError(f"--rsync-dry-run shows what other hosts would get, and there are none: {plain}")
    if trees is None:
        raise pytest.UsageError("--rsync-dry-run shows what other hosts would get: nothing, without --rsyncdir")


def _words(config: Any, args: Sequence[str], here: str) -> list[tuple[str, str, str]]:
    """Return the arguments, each as what stands before a path, the absolute path, what stands behind it."""
    parser = attribute(attribute(config, "_parser"), "optparser")
    known = attribute(parser, "_option_string_actions")
    found: list[tuple[str, str, str]] = []
    for option in options_of(known if isinstance(known, dict) else {}, args):
        found += _with_path(option, here)
    return [(text(before), text(path), text(behind)) for before, path, behind in found]


def _with_path(option: Option, here: str) -> list[tuple[str, str, str]]:
    first, *others = option.words
    if option.dest == "":
        path, behind = _split(first)
        there = os.path.normpath(os.path.join(here, path))
        return [("", there, behind)] if path and first != "--" and os.path.exists(there) else [(first, "", "")]
    if option.dest not in _PATHS:
        return [_absolute(word) for word in option.words]
    if others:
        return [(first, "", ""), *(("", os.path.normpath(os.path.join(here, word)), "") for word in others)]
    at = first.find("=") + 1 if first.startswith("--") else 2
    return [(first[:at], os.path.normpath(os.path.join(here, first[at:])), "")]


def _absolute(word: str) -> tuple[str, str, str]:
    """Split a word around an absolute path, if there is one; relative ones mean the same anywhere."""
    found = _ABSOLUTE.fullmatch(word)
    if found is None:
        return (word, "", "")
    return (found.group(1), os.path.normpath(found.group(2)), found.group(3))


def _ini_words(config: Any) -> list[str]:
    """Return `addopts`, which goes to hosts in the configuration file, with the paths of here."""
    return [text(word) for word in ini(config, "addopts", ())]


def _inis(config: Any) -> list[tuple[str, str, list[tuple[str, str, str]]]]:
    """Return the keys whose values hold absolute paths: each with how its value is written, and the words of that."""
    found = []
    known = attribute(attribute(config, "_parser"), "_inidict")
    for name in known if isinstance(known, dict) else ():
        kind = known[name][1]
        written = _WRITTEN.get(kind) if kind is None or isinstance(kind, str) else None
        if written is None or name in _OWN:
            continue
        words = [_absolute(word) for word in _as_written(_value(config, name), written)]
        if any(path for _, path, _ in words):
            words = [(text(before), text(path), text(behind)) for before, path, behind in words]
            found.append((text(name), written, words))
    return found


def _value(config: Any, name: str) -> object:
    """Return what `-o` or the configuration file says for a key, as it stands there."""
    override = attribute(config, "_get_override_ini_value")
    value = override(name) if callable(override) else None
    if value is not None:
        return value
    table = attribute(config, "_inicfg")
    if table is None:
        table = attribute(config, "inicfg", {})
    aliases = attribute(attribute(config, "_parser"), "_ini_aliases", {})
    names = [name, *(alias for alias, of in aliases.items() if of == name)]
    given = [table[one] for one in names if one in table]
    given.sort(key=lambda value: attribute(value, "origin") == "override", reverse=True)
    return attribute(given[0], "value", given[0]) if given else None


def _as_written(value: object, written: str) -> list[str]:
    """Return the words of a value."""
    if isinstance(value, list):
        return [word for word in value if isinstance(word, str)] if written != "text" else []
    if not isinstance(value, str):
        return []
    if written == "words":
        try:
            return shlex.split(value)
        except ValueError:
            # Whoever reads it refuses it.
            return []
    if written == "lines":
        return [line.strip() for line in value.split("\n") if line.strip()]
    return [value]


def _environment_words() -> list[str]:
    try:
        return shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))
    except ValueError:
        # pytest has refused it already.
        return []


def _files(option: Any, here: str) -> list[str]:
    """Return the files that options of plugins name and that are there."""
    values = (attribute(option, name) for name in _FILES)
    paths = (os.path.normpath(os.path.join(here, value)) for value in values if isinstance(value, str) and value)
    return [path for path in paths if os.path.isfile(path)]


def _split(argument: str) -> tuple[str, str]:
    """Split a node id into the path of its file and the rest."""
    base, bracket, rest = argument.partition("[")
    path, colons, names = base.partition("::")
    return path, colons + names + bracket + rest


def _named(config: Any, here: str) -> list[str]:
    """Return the files and directories that somebody asked to be tested: by arguments, or in the ini file."""
    given = attribute(config, "args") or ()
    # Where nobody names anything, it is the directory in which pytest was started; not all versions tell that apart.
    if list(given) == [here]:
        return []
    paths = (os.path.normpath(os.path.join(here, _split(str(argument))[0])) for argument in given)
    return [path for path in paths if os.path.exists(path)]
