"""Makes every system call that no agent needs: each is refused."""

import ctypes
import errno
import platform

from harness import eval_f1

REFUSED = (errno.EPERM, errno.ENOSYS, errno.EACCES)
CALLS = {
    "ptrace": 101, "syslog": 103, "personality": 135, "ustat": 136, "sysfs": 139, "vhangup": 153,
    "modify_ldt": 154, "pivot_root": 155, "_sysctl": 156, "adjtimex": 159, "chroot": 161,
    "acct": 163, "settimeofday": 164, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168,
    "reboot": 169, "sethostname": 170, "setdomainname": 171, "iopl": 172, "ioperm": 173,
    "create_module": 174, "init_module": 175, "delete_module": 176, "quotactl": 179,
    "lookup_dcookie": 212, "clock_settime": 227, "mbind": 237, "set_mempolicy": 238,
    "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250, "migrate_pages": 256,
    "unshare": 272, "move_pages": 279, "perf_event_open": 298, "fanotify_init": 300,
    "name_to_handle_at": 303, "open_by_handle_at": 304, "clock_adjtime": 305, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
    "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425,
    "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "pidfd_getfd": 438,
    "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447,
    "statmount": 457, "listmount": 458, "open_tree_attr": 467,
}  # fmt: skip


def granted():
    if platform.machine() != "x86_64":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for name, number in CALLS.items():
        ctypes.set_errno(0)
        answer = libc.syscall(number, 0, 0, 0, 0, 0, 0)
        if answer != -1 or ctypes.get_errno() not in REFUSED:
            yield name, answer, errno.errorcode.get(ctypes.get_errno())
    for flag in (
        0x00000080,
        0x00020000,
        0x02000000,
        0x04000000,
        0x08000000,
        0x10000000,
        0x40000000,
    ):
        if libc.unshare(flag) != -1:
            yield "unshare", hex(flag), None


class Agent:
    def respond(self, contexts):
        if found := list(granted()):
            raise RuntimeError(f"granted: {found}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
