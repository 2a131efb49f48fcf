"""The modules of pytest-xdist that conftests and plugins import, where pytest-xdist is not installed.

Each file here is loaded as the module of `xdist` that bears its name; `..shim` finds them. They have the names that
are in use outside pytest-xdist, and nothing else.
"""
