"""The pytest side of `xdist`: runs inside interpreters that have pytest and nothing else of this project."""
