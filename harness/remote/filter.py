"""A system-call filter that the inside puts on itself before it reads a byte of the submission.

Denied: sockets but AF_UNIX, io_uring, ptrace and other processes' memory, bpf, keys, userfaultfd,
mounts, new namespaces, kernel and clock settings, the placing of memory, execution domains.
Programs of another architecture are killed.
Threads, forks and files work as before. A classic BPF program over ctypes: no dependency.
It is one of several walls; the sandbox's own stands outside. Source: seccomp(2).
"""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Sequence
from typing import NamedTuple

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2

_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_ALLOW = 0x7FFF0000

_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

_NUMBER, _ARCH, _FIRST_ARGUMENT = 0, 4, 16  # places in struct seccomp_data, little-endian
_X32 = 0x40000000
_AF_UNIX = 1

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; NEWTIME is clone3's alone."""

# Since 5.1 all architectures number new calls alike.
_COMMON = {
    "pidfd_getfd": 438,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "set_mempolicy_home_node": 450,
    "statmount": 457,
    "listmount": 458,
    "open_tree_attr": 467,
}


class Machine(NamedTuple):
    """One architecture: its audit number and the numbers of the calls that we name."""

    arch: int
    calls: dict[str, int]


MACHINES = {
    "x86_64": Machine(
        0xC000003E,
        {
            "socket": 41, "socketpair": 53, "clone": 56, "ptrace": 101, "syslog": 103,
            "uselib": 134, "personality": 135, "ustat": 136, "sysfs": 139, "vhangup": 153,
            "modify_ldt": 154, "_sysctl": 156, "create_module": 174, "get_kernel_syms": 177,
            "query_module": 178, "nfsservctl": 180, "lookup_dcookie": 212, "mbind": 237,
            "set_mempolicy": 238, "migrate_pages": 256, "move_pages": 279,
            "pivot_root": 155, "adjtimex": 159, "chroot": 161, "acct": 163, "settimeofday": 164,
            "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169,
            "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
            "init_module": 175, "delete_module": 176, "quotactl": 179, "clock_settime": 227,
            "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272,
            "perf_event_open": 298, "fanotify_init": 300, "name_to_handle_at": 303,
            "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
            "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
            "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323,
        }
        | _COMMON,
    ),
    "aarch64": Machine(
        0xC00000B7,
        {
            "lookup_dcookie": 18, "umount2": 39, "mount": 40, "pivot_root": 41, "nfsservctl": 42,
            "chroot": 51, "vhangup": 58, "quotactl": 60, "personality": 92, "mbind": 235,
            "set_mempolicy": 237, "migrate_pages": 238, "move_pages": 239,
            "acct": 89, "unshare": 97, "kexec_load": 104, "init_module": 105,
            "delete_module": 106, "clock_settime": 112, "syslog": 116, "ptrace": 117,
            "reboot": 142, "sethostname": 161, "setdomainname": 162, "settimeofday": 170,
            "adjtimex": 171, "socket": 198, "socketpair": 199, "add_key": 217,
            "request_key": 218, "keyctl": 219, "clone": 220, "swapon": 224, "swapoff": 225,
            "perf_event_open": 241, "fanotify_init": 262, "name_to_handle_at": 264,
            "open_by_handle_at": 265, "clock_adjtime": 266, "setns": 268,
            "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273,
            "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294,
        }
        | _COMMON,
    ),
}  # fmt: skip

_BY_ARGUMENT = ("socket", "socketpair", "clone", "clone3")
"""Calls that are judged by what they ask for; all others of a machine are denied outright."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def program(machine: Machine, *, families: Sequence[int] = (_AF_UNIX,)) -> bytes:
    """The filter for one architecture, as `struct sock_filter` instructions.

    `families` are the kinds of sockets that may be made: AF_UNIX alone where a submission runs.
    """
    calls = machine.calls
    denied = sorted(number for name, number in calls.items() if name not in _BY_ARGUMENT)
    steps = [
        _step(_LOAD, _ARCH),
        _step(_EQUAL, machine.arch, yes=1),
        _step(_RETURN, _KILL_PROCESS),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32, no=1),
        _step(_RETURN, _KILL_PROCESS),
    ]
    for number in denied:
        steps += [_step(_EQUAL, number, no=1), _step(_RETURN, _ERRNO | errno.EPERM)]
    # The flags of clone3 lie in memory, out of reach; the C library then falls back on clone.
    steps += [_step(_EQUAL, calls["clone3"], no=1), _step(_RETURN, _ERRNO | errno.ENOSYS)]
    for name in ("socket", "socketpair"):
        steps += [
            _step(_EQUAL, calls[name], no=len(families) + 2),
            _step(_LOAD, _FIRST_ARGUMENT),
            *(_step(_EQUAL, one, yes=left) for left, one in _countdown(families)),
            _step(_RETURN, _ERRNO | errno.EPERM),
            _step(_LOAD, _NUMBER),
        ]
    steps += [
        _step(_EQUAL, calls["clone"], no=3),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_ANY_BIT, _NEW_NAMESPACES, no=1),
        _step(_RETURN, _ERRNO | errno.EPERM),
        _step(_RETURN, _ALLOW),
    ]
    return b"".join(steps)


def install(*, families: Sequence[int] = (_AF_UNIX,)) -> None:
    """Put the filter on this process and all that it will start; it cannot be taken off.

    `families` as in `program`; a build may also make AF_INET sockets, to itself.
    `OSError` if the kernel refuses, `RuntimeError` on a machine that we have no table for.
    """
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise RuntimeError(f"no system-call filter for {platform.machine()}")
    code = program(machine, families=families)
    libc = ctypes.CDLL(None, use_errno=True)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1, None)
    filled = ctypes.byref(_Program(len(code) // 8, code))
    _prctl(libc, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filled)


def _prctl(libc: ctypes.CDLL, option: int, value: int, pointer: object) -> None:
    zero = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(value), pointer, zero, zero) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def _countdown(families: Sequence[int]) -> list[tuple[int, int]]:
    """Each family with how many steps its comparison skips to be past the refusal."""
    return [(len(families) - place, one) for place, one in enumerate(families)]


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One instruction; `yes` and `no` are how many to skip after a comparison."""
    return struct.pack("<HBBI", code, yes, no, value)
