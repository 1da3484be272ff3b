"""Gives the fetch child's user an account, without which ssh does not start.

A user id needs no entry in /etc/passwd to run git, but ssh ends with "No user exists for uid".
The entry is made in a mount namespace of the child's own, so nothing of the machine changes.
"""

import ctypes
import os
import pwd
from pathlib import Path

from harness.errors import OperatorError

_CLONE_NEWNS = 0x00020000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_PASSWD = Path("/etc/passwd")


def ensure(uid: int, *, home: Path) -> None:
    """Make `uid` known to this process and its children; asked while they are still root.

    `OperatorError` where that is not allowed here: the message says what to do.
    """
    if _known(uid):
        return
    line = f"rostrum-fetch:x:{uid}:{uid}::{home}:/usr/sbin/nologin\n"
    mine = home / "passwd"
    mine.write_bytes(_PASSWD.read_bytes().rstrip(b"\n") + b"\n" + line.encode())
    mine.chmod(0o644)
    try:
        _call("unshare", _CLONE_NEWNS)
        _call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
        _call("mount", os.fsencode(mine), os.fsencode(_PASSWD), None, _MS_BIND, None)
    except OSError as error:
        raise OperatorError(
            "evaluator_bug",
            message=f"ssh needs an account for user id {uid}, and this process may not mount one "
            f"({error.strerror}): add the accounts as docs/repositories.md says",
        ) from None


def _known(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _call(name: str, *arguments: int | bytes | None) -> None:
    """A call of the C library that the standard library of Python 3.11 lacks."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
