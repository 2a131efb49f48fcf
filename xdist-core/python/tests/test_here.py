"""What pytest says of a copy is told of what it is a copy of."""

from __future__ import annotations

from xdist_worker.here import Here

HERE = Here([("/far/copy/lib", "/opt/lib"), ("/far/copy", "/home/me/project")])


def test_paths_are_translated_as_a_whole():
    for there, here in [
        ("/far/copy/a.py:3: in f", "/home/me/project/a.py:3: in f"),
        ('File "/far/copy/lib/b.py", line 2', 'File "/opt/lib/b.py", line 2'),
        ("rootdir: /far/copy", "rootdir: /home/me/project"),
        ("\x1b[31m/far/copy/a.py\x1b[0m", "\x1b[31m/home/me/project/a.py\x1b[0m"),
        ("/far/copying /far/copy.old /far/copy-2 /far/copy_", "/far/copying /far/copy.old /far/copy-2 /far/copy_"),
        ("/so/far/copy/a ../far/copy/a", "/so/far/copy/a ../far/copy/a"),
    ]:
        assert HERE.text(there) == here


def test_node_ids_and_what_tests_wrote_stay():
    data = {
        "nodeid": "t.py::test[/far/copy]",
        "longrepr": {"terminal": "/far/copy/t.py:1", "crash": {"path": "/far/copy/t.py", "lineno": 1}},
        "sections": [("Captured stdout call", "/far/copy")],
        "user_properties": [("where", "/far/copy")],
        "in_xml": ["/far/copy/t.py"],
        "raw": b"/far/copy",
    }
    told = HERE(data)
    assert told == {
        **data,
        "longrepr": {"terminal": "/home/me/project/t.py:1", "crash": {"path": "/home/me/project/t.py", "lineno": 1}},
        "in_xml": ["/home/me/project/t.py"],
    }


def test_without_a_copy_nothing_is_looked_at():
    data = {"longrepr": "/far/copy"}
    assert Here(())(data) is data
    assert Here([("/same", "/same")])(data) is data
