"""The hooks of pytest-xdist."""

from __future__ import annotations

from xdist_worker import newhooks as _newhooks

globals().update({name: hook for name, hook in vars(_newhooks).items() if name.startswith("pytest_")})
