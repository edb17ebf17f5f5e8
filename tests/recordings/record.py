#!/usr/bin/env python3
"""Makes the recordings in this directory: real programs, driven on a terminal of 100x30.

Each recording is what the program wrote, byte for byte. Run as root, so that the programs see a machine with no
processes but their own: `./record.py`, or with names, `./record.py vim less`. At most 60 KB of each are kept.
Needs bash, vim, less, htop, top, mc, python3 and unshare.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS, COLS, KEPT = 30, 100, 60_000

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
    "TERM": "xterm-256color",
    "LANG": "C.UTF-8",
    "PS1": "\\[\\e]0;\\w\\a\\e[1;32m\\]demo\\[\\e[0m\\]:\\[\\e[34m\\]\\w\\[\\e[0m\\]\\$ ",
    "PS0": "",
    "HISTFILE": "",
    "PYTHONSTARTUP": "",
}

TEXT = """import sys

# A small program to look at: größer, 日本語, naïve.
def main(arguments):
    for number, argument in enumerate(arguments):
        print(f"{number:3}: {argument!r}")
    return len(arguments)

"""

# A key sequence each, typed with a pause after it; "..." is a longer one.
SCRIPTS = {
    "bash": (["bash", "--norc", "-i"], [
        "ls --color=always /usr\r", "printf '\\e[1;31mred\\e[0m\\n'\r", "seq 200\r", "ls -la /etc | head -40\r",
        "echo a long command line that does not fit", "\x01", "\x06\x06\x06", "\x0b", "\x19", "\x15",
        "for i in 1 2 3; do\recho größe $i 日本語\rdone\r", "\x12seq", "\x07", "cat textfile\r",
        "printf 'progress %d%%\\r' 10 20 30; echo\r", "ls --color=always /usr/bin | head -150\r",
        "echo " + "w" * 150, "\x01", "\x05\r", "exit\r"]),
    "vim": (["vim", "-u", "NONE", "-c", "syntax on", "-c", "set nocp nu ruler showcmd hls mouse=a", "textfile"], [
        "...", "jjjj", "G", "gg", "10j", "ihello größe 日本語\x1b", "yy5p", "dd", "u", "/number\r", "nnn", ":split\r",
        "\x17j", "\x06", "\x06", "\x02", ":vsplit\r", "\x17l", "Gzz", "V10k", "d", "u", ":set nowrap\r", "100l",
        ":q\r", ":help\r", "\x06\x06", ":q\r", "ggVG>", "\x1b", ":qa!\r"]),
    "less": (["sh", "-c", "seq 2000 | sed 's/7/\x1b[1;33m7\x1b[0m/g' | less -R"], [
        "...", " ", " ", " ", "b", "jjjjj", "kkk", "/19\r", "nn", "N", "G", "g", "d", "u", "?5\r", "50%", "-S\r", "q"]),
    "htop": (["htop", "-d", "3"], [
        "...", "\x1b[B\x1b[B", "t", "...", "\x1bOR" "s" "\r", "...", "\x1bOQ", "\x1b[B", "\x1b[B", "\x1bOU", "u", "\x1b",
        "h", "q", "...", "q"]),
    "top": (["top", "-d", "0.3"], ["...", "z", "x", "...", "1", "...", "V", "t", "m", "...", "h", "q", "...", "q"]),
    "mc": (["mc", "--nosubshell", "/usr"], [
        "...", "\x1b[B\x1b[B\r", "\t", "\x1b[B\x1b[B", "\x1b[6~", "\x1bOR", "\x1b[21~", "\x1b[20~", "\x1b[C", "\x1b[B",
        "\x1b\x1b", "\x0f", "...", "\x0f", "\x1b[21~", "\r"]),
    "python": (["python3", "-q"], [
        "...", "print('größe', '日本語')\r", "for i in range(40):\r    print(i, 'x' * i)\r\r", "1 / 0\r", "'abc'.upp\t",
        "\x15", "help(len)\r", "q", "\x1b[A\x1b[A", "\x1b[B", "\r", "exit()\r"]),
}


def prepare(home):
    """Files to look at."""
    with open(os.path.join(home, "textfile"), "w", encoding="utf-8") as file:
        file.write(TEXT * 20)


def start(command, home):
    """Starts a program on a terminal of its own, in a world of its own."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(home)
        world = ["unshare", "--pid", "--fork", "--mount-proc", "--uts", "sh", "-c", 'hostname demo; exec "$@"', "sh"]
        os.execvpe(world[0], world + command, {**ENVIRONMENT, "HOME": home})
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLS, 0, 0))
    return pid, master


def gather(master, seconds, out):
    """Reads for a while; false at the end."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            try:
                out += os.read(master, 65536)
            except OSError:
                return False
    return True


def record(name):
    """Plays one script."""
    command, keys = SCRIPTS[name]
    out = bytearray()
    with tempfile.TemporaryDirectory(prefix="recording-", dir="/tmp") as home:
        prepare(home)
        pid, master = start(command, home)
        alive = gather(master, 1.0, out)
        for key in keys:
            if not alive:
                break
            if key == "...":
                alive = gather(master, 1.0, out)
                continue
            os.write(master, key.encode())
            alive = gather(master, 0.25, out)
        if alive:
            gather(master, 2.0, out)
        os.close(master)
        os.waitpid(pid, 0)
    out = bytes(out).replace(os.path.basename(home).encode(), b"recording")
    with open(os.path.join(HERE, name + ".raw"), "wb") as file:
        file.write(out[:KEPT])
    print(f"{name}: {len(out)} bytes, {min(len(out), KEPT)} kept")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or SCRIPTS:
        record(wanted)
