"""The pytest side of xdist: what runs inside Python processes.

A process of this package is a fork server (`server`), a session that parses pytest's arguments and then becomes
plain pytest or the collector (`session`, `collector`), or a worker (`worker`). All of them are driven over a unix
socket (`link`, `wire`) by the `xdist` program. Nothing but pytest and the standard library is needed.
"""

PROTOCOL = 2
