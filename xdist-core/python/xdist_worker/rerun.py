"""Which of the arguments have to be repeated so that one test, run alone, is found, imported and run as in this run.

pytest's own parser knows its options and those of plugins, so it is asked which arguments are options and how many
values each has. What an option does is known of pytest's own ones: those that select tests, show or write something are
left out. Options of plugins stay, because a suite may depend on any of them, but for those known to write files.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from .safe_text import attribute, text

# By their `dest`. Selection: the node id selects.
_SELECTION = frozenset(
    "collectonly continue_on_collection_errors deselect failedfirst file_or_dir ignore ignore_glob keepduplicates "
    "last_failed_no_failures lf maxfail newfirst pyargs stepwise stepwise_reset stepwise_skip".split()
)
# Selection as well, and needed where ini files or the environment select something else.
_EXPRESSIONS = frozenset(("keyword", "markexpr"))
_SHOWN = frozenset(
    "code_highlight color debug disable_warnings doctestreport durations durations_min fold_skipped "
    "force_short_summary fulltrace help markers no_header no_summary pastebin reportchars showcapture showfixtures "
    "show_fixtures_per_test showlocals tbstyle trace traceconfig usepdb usepdb_cls verbose version xfail_tb "
    "log_cli_date_format log_cli_format log_cli_level max_warnings setuponly setupplan setupshow".split()
)
_WRITTEN = frozenset(
    "basetemp cacheclear cacheshow junitprefix log_file log_file_date_format log_file_format log_file_level "
    "log_file_mode xmlpath".split()
)
_DISTRIBUTION = frozenset(
    "dist distload loadscopereorder looponfail maxprocesses maxschedchunk maxworkerrestart numprocesses px rsyncdir "
    "rsyncdryrun rsyncgitignore rsyncignore rsyncinclude rsynclinks strictcollection testrunuid tx".split()
)
_LEFT_OUT = _SELECTION | _SHOWN | _WRITTEN | _DISTRIBUTION
# Of plugins: coverage and report files of the whole run are not to be replaced by those of one test.
_WRITING_PLUGINS = ("allure", "cov_", "csv", "html", "json_report", "md_report", "report_log", "self_contained_html")


class Option(NamedTuple):
    """An argument with its values."""

    dest: str
    """Its name in pytest's parser; empty for what is no option, and for `--`."""
    words: list[str]


def repeated_options(config: Any, args: Sequence[str]) -> list[str]:
    """Return the words of `args`, as typed, that a rerun of one test needs."""
    parser = attribute(attribute(config, "_parser"), "optparser")
    known = attribute(parser, "_option_string_actions")
    if not isinstance(known, dict):
        return []
    elsewhere = {option.dest for option in options_of(known, _other_args(config))}
    words: list[str] = []
    for option in options_of(known, args):
        if not option.dest:
            continue
        if option.dest in _EXPRESSIONS:
            if option.dest in elsewhere:
                words += option.words
        elif option.dest not in _LEFT_OUT and not option.dest.startswith(_WRITING_PLUGINS):
            words += option.words
    return [text(word) for word in words]


def _other_args(config: Any) -> list[str]:
    """Return the arguments that come from ini files and the environment."""
    try:
        return [*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *config.getini("addopts")]
    except ValueError:
        return []


def options_of(known: dict[str, Any], args: Iterable[str]) -> Iterator[Option]:
    """Take arguments apart as `argparse` does."""
    words = list(args)
    at = 0
    while at < len(words) and words[at] != "--":
        word = words[at]
        at += 1
        if not word.startswith("-") or word == "-":
            yield Option("", [word])
            continue
        name, equals, _ = word.partition("=")
        action = known.get(word) or known.get(name)
        if action is None and not word.startswith("--"):
            flags, word, action = _cluster(known, word)
            yield from flags
            equals = "" if len(word) == 2 else word
        if action is None:
            yield Option("", [word])
            continue
        values = 0 if equals else _values(action.nargs, words[at:])
        yield Option(action.dest, [word, *words[at : at + values]])
        at += values
    for word in words[at:]:
        yield Option("", [word])


def _cluster(known: dict[str, Any], word: str) -> tuple[list[Option], str, Any]:
    """Split `-xvpname` into its flags, and its last option with what is glued to it."""
    flags = []
    for at, letter in enumerate(word[1:], 1):
        action = known.get("-" + letter)
        if action is None or action.nargs != 0:
            return flags, "-" + word[at:], action
        flags.append(Option(action.dest, ["-" + letter]))
    return flags, word, None


def _values(nargs: Any, following: Sequence[str]) -> int:
    """Return how many of the following words are values."""
    if nargs is None:
        return min(1, len(following))
    if isinstance(nargs, int):
        return min(nargs, len(following))
    free = next((at for at, word in enumerate(following) if word.startswith("-") and word != "-"), len(following))
    return min(1, free) if nargs == "?" else free
