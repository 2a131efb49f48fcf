"""Parses many lists of arguments as one pytest after the other would, and prints the facts of each as JSON."""

from __future__ import annotations

import json
import sys

import feed
import pytest
from _pytest.config import _prepareconfig

from xdist_worker import facts


def parse(args):
    config = _prepareconfig(list(args), plugins=[feed])
    try:
        return facts.gather_facts(config, None, args)
    except pytest.UsageError as error:
        return {"usage_error": str(error)}
    finally:
        config._ensure_unconfigure()


if __name__ == "__main__":
    print(json.dumps([parse(args) for args in json.loads(sys.argv[1])]))
