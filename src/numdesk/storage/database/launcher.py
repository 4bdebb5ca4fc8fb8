"""Becomes a PostgreSQL program: drops root, asks the kernel for a signal when numdesk dies, then
runs the command.

Run as a script by its path with `python -I -S`, so it uses the standard library alone. A program of
its own, because the same steps between fork and exec of a process with threads could hang.
"""

import ctypes
import os
import pwd
import signal
import sys

# From linux/prctl.h and linux/capability.h.
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522

ON_LINUX = sys.platform == "linux"


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapSet(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def main(arguments: list[str]) -> None:
    """Take PARENT_PID, USER (empty: stay who we are), DATA_FOLDER and the command, and become the
    command."""
    parent, user, folder, *command = arguments
    if user:
        become(user, reach=[command[0], folder])
    if ON_LINUX:
        die_with(int(parent))
    os.execv(command[0], command)  # noqa: S606 - the command is numdesk's own


def become(user: str, *, reach: list[str]) -> None:
    """Change from root to `user`, who must be able to reach the given paths."""
    entry = pwd.getpwnam(user)
    if ON_LINUX:
        _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    blocked = [path for path in reach if not os.access(path, os.X_OK)]
    if blocked and not (ON_LINUX and _may_pass_folders()):
        sys.exit(f"FATAL:  Permission denied: the user {user} cannot reach {blocked[0]}")


def die_with(parent: int) -> None:
    """Have the kernel send us SIGINT, PostgreSQL's fast shutdown, when the thread that started us
    ends."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit("FATAL:  numdesk ended while its database was being started")


def _may_pass_folders() -> bool:
    """Keep the one capability of root that lets the server reach a program and data below a closed
    folder.

    A clone in root's own home (mode 0700) is the usual case; opening that folder to everyone
    instead would be a change of the machine that nobody asked for.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _CapHeader(CAPABILITY_VERSION_3, 0), (_CapSet * 2)()
    if libc.capget(ctypes.byref(header), ctypes.byref(sets)) != 0:
        return False
    held = [
        cap for cap in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if sets[0].permitted & (1 << cap)
    ]
    if not held:
        return False
    only = 1 << held[0]
    sets[0], sets[1] = _CapSet(only, only, only), _CapSet(0, 0, 0)
    return libc.capset(ctypes.byref(header), ctypes.byref(sets)) == 0 and _prctl(
        PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, held[0]
    )


def _prctl(option: int, *values: int) -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    return libc.prctl(option, *padded) == 0


if __name__ == "__main__":
    main(sys.argv[1:])
