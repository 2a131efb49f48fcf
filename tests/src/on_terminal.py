"""Runs a command on a pseudo-terminal of its own: what it writes goes to stdout, lines on stdin say what the user does.

    on_terminal.py COLUMNS ROWS COMMAND...

`type HEX` types these bytes, `size COLUMNS ROWS` makes the window another size, `modes` has it say on stderr whether
the terminal edits lines and echoes, then and once more in the end. Ends as the command does.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios


def set_size(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))


asked = []


def tell_modes(fd):
    flags = termios.tcgetattr(fd)[3]
    names = [name for name in ("ICANON", "ECHO") if flags & getattr(termios, name)]
    os.write(2, " ".join(["modes", *names, "\n"]).encode())


def obey(fd, line):
    word, *values = line.split()
    if word == "modes":
        asked.append(line)
        tell_modes(fd)
    elif word == "type":
        os.write(fd, bytes.fromhex(values[0]))
    else:
        set_size(fd, *values)


def relay(fd):
    """Until the command and everything it started have closed the terminal."""
    sources, orders = [fd, 0], ""
    while True:
        ready = select.select(sources, [], [])[0]
        if 0 in ready:
            data = os.read(0, 4096).decode("ascii")
            if not data:
                sources.remove(0)
            *lines, orders = (orders + data).split("\n")
            for line in lines:
                obey(fd, line)
        if fd in ready:
            try:
                data = os.read(fd, 65536)
            except OSError:
                return
            if not data:
                return
            os.write(1, data)


def main():
    columns, rows, *command = sys.argv[1:]
    pid, fd = pty.fork()
    if pid == 0:
        set_size(0, columns, rows)
        os.execvp(command[0], command)
    relay(fd)
    status = os.waitpid(pid, 0)[1]
    if asked:
        tell_modes(fd)
    sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


main()
