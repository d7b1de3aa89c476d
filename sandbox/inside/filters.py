"""Seccomp filters, assembled by hand: an allow-list of system calls, with argument checks where they matter.

The default answer is EPERM, so that a program sees a refusal rather than a kill; `clone3` answers ENOSYS,
which makes the C library fall back to `clone`, whose flags a filter can read.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence

from sandbox.inside.kernel import KernelError, step, take

__all__ = [
    "BASIC",
    "HIGH",
    "MORE_FOR_COMPILER",
    "MORE_FOR_SUPERVISOR",
    "NO_CALL",
    "SOLUTION",
    "SUPERVISOR",
    "Installer",
    "Program",
    "compiler_filter",
    "solution_filter",
]

NO_CALL = (*range(174, 175), 177, 178, *range(180, 186), 214, 215, 236, *range(335, 424))
"""Numbers that no kernel gives a meaning on this machine: it answers ENOSYS to them by itself."""

_AUDIT_ARCH_X86_64 = 0xC000003E
_X32_BIT = 0x40000000
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_LOAD, _AND, _RETURN, _JEQ, _JGE = 0x20, 0x54, 0x06, 0x15, 0x35
_NUMBER, _ARCH = 0, 4

_CLONE_THREAD = 0x00010000
_CLONE_FILES = 0x00000400
_CLONE_NEW_ANY = 0x7E020080
HIGH = 6
"""Added to the number of an argument, names its high word."""
_OWN_PID = -1
_SECCOMP = 317
_MACHINE = os.uname().machine

# Names are those of the x86-64 table.
BASIC = """
read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 munmap=11 brk=12
rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 pread64=17 pwrite64=18 readv=19 writev=20 access=21
pipe=22 select=23 sched_yield=24 mremap=25 msync=26 mincore=27 madvise=28 dup=32 dup2=33 pause=34
nanosleep=35 getitimer=36 alarm=37 setitimer=38 getpid=39 sendfile=40 sendto=44 recvfrom=45
shutdown=48 getsockname=51 getpeername=52 getsockopt=55 exit=60 wait4=61 uname=63 flock=73
fsync=74 fdatasync=75 ftruncate=77 getdents=78 getcwd=79 chdir=80 fchdir=81 rename=82 mkdir=83 rmdir=84
creat=85 link=86 unlink=87 symlink=88 readlink=89 umask=95 gettimeofday=96 getrlimit=97 getrusage=98
sysinfo=99 times=100 getuid=102 getgid=104 geteuid=107 getegid=108 getppid=110 getpgrp=111 getgroups=115
getresuid=118 getresgid=120 getpgid=121 getsid=124 capget=125 rt_sigpending=127 rt_sigtimedwait=128
rt_sigsuspend=130 sigaltstack=131 statfs=137 fstatfs=138 getpriority=140 sched_getparam=143
sched_getscheduler=145 sched_get_priority_max=146 sched_get_priority_min=147 sched_rr_get_interval=148
arch_prctl=158 setrlimit=160 gettid=186 readahead=187 getxattr=191 lgetxattr=192 fgetxattr=193 listxattr=194
llistxattr=195 flistxattr=196 time=201 futex=202 sched_getaffinity=204 epoll_create=213 getdents64=217
set_tid_address=218 restart_syscall=219 fadvise64=221 timer_settime=223 timer_gettime=224
timer_getoverrun=225 timer_delete=226 exit_group=231
epoll_wait=232 epoll_ctl=233 get_mempolicy=239 waitid=247 openat=257 mkdirat=258 newfstatat=262 unlinkat=263
renameat=264 linkat=265 symlinkat=266 readlinkat=267 faccessat=269 pselect6=270 ppoll=271
set_robust_list=273 get_robust_list=274 splice=275 tee=276 sync_file_range=277 epoll_pwait=281 signalfd=282
timerfd_create=283 eventfd=284 fallocate=285 timerfd_settime=286 timerfd_gettime=287 signalfd4=289
eventfd2=290 epoll_create1=291 dup3=292 pipe2=293 preadv=295 pwritev=296 getcpu=309 sched_getattr=315
renameat2=316 getrandom=318 membarrier=324 copy_file_range=326 preadv2=327 pwritev2=328 pkey_mprotect=329
pkey_alloc=330 pkey_free=331 statx=332 rseq=334 close_range=436 openat2=437 faccessat2=439 epoll_pwait2=441
futex_waitv=449
"""
MORE_FOR_COMPILER = (
    "fork=57 vfork=58 execve=59 execveat=322 chmod=90 fchmod=91 fchmodat=268 kill=62 tgkill=234"
)
# Messages may carry open files, which no limit counts while they are under way.
MORE_FOR_SUPERVISOR = """
sendmsg=46 recvmsg=47 timer_create=222 clock_gettime=228 clock_getres=229 clock_nanosleep=230
fork=57 vfork=58 execve=59 execveat=322 chmod=90 fchmod=91 fchmodat=268 kill=62 tgkill=234 prctl=157
prlimit64=302 seccomp=317 memfd_create=319 pidfd_send_signal=424 pidfd_open=434 landlock_create_ruleset=444
landlock_add_rule=445 landlock_restrict_self=446 fcntl=72 ioctl=16 socketpair=53
setsid=112 sched_setaffinity=203
"""

# Terminal queries and close-on-exec switches; TIOCSTI and the async owners stay out.
_IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# Not F_SETOWN, F_SETSIG, F_SETOWN_EX (signals to others), F_NOTIFY, F_SETLEASE, F_SETPIPE_SZ (kernel memory).
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 36, 37, 38, 1030, 1032, 1034)
# PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_SECCOMP, PR_CAPBSET_READ, PR_GET_NO_NEW_PRIVS, PR_SET_VMA.
_PRCTLS = (15, 16, 3, 21, 23, 39, 0x53564D41)


def _numbers(names: str) -> list[int]:
    return sorted(int(item.partition("=")[2]) for item in names.split())


def _ins(code: int, k: int, *, jt: int = 0, jf: int = 0) -> bytes:
    return struct.pack("HBBI", code, jt, jf, k & 0xFFFFFFFF)


_RET_ALLOW = _ins(_RETURN, _ALLOW)


def _refuse(number: int) -> bytes:
    return _ins(_RETURN, _ERRNO | number)


def _argument(index: int) -> int:
    """Offset of the low word of an argument in `struct seccomp_data` (little endian); of the high word where
    `index` is `HIGH` more."""
    return 16 + 8 * (index % HIGH) + 4 * (index // HIGH)


def _tree(ranges: list[list[int]]) -> list[bytes]:
    """A search tree over ranges of allowed numbers, whose leaves are two instructions shared by all.

    The kernel translates every instruction, and walks the filter for every number there is, each time that it
    is put on: as a list of ranges it would be the dearest part of starting a test.
    """
    bounds = [bound for low, high in ranges for bound in (low, high + 1)]
    # A node is [bound, place of the node for numbers below, and for the others]; -1 refuses and -2 allows.
    nodes: list[list[int]] = []

    def build(first: int, last: int) -> int:
        """The tree over bounds[first:last]; with none left, the answer for numbers between two bounds."""
        if first == last:
            return -2 if first % 2 else -1
        middle = (first + last) // 2
        place = len(nodes)
        nodes.append([bounds[middle], 0, 0])
        nodes[place][1] = build(first, middle)
        nodes[place][2] = build(middle + 1, last)
        return place

    build(0, len(bounds))
    ends = {-1: len(nodes), -2: len(nodes) + 1}
    code = []
    for place, (bound, below, others) in enumerate(nodes):
        left, right = (ends.get(target, target) - place - 1 for target in (below, others))
        code.append(_ins(_JGE, bound, jt=right, jf=left))
    return [*code, _refuse(errno.EPERM), _RET_ALLOW]


class Program:
    """One assembled filter; the process id of the process it is installed in is filled in at the end."""

    def __init__(self) -> None:
        self._code = bytearray()
        self._pids: list[int] = []
        self.answered: set[int] = set()
        self._add(_ins(_LOAD, _ARCH), _ins(_JEQ, _AUDIT_ARCH_X86_64, jt=1), _refuse(errno.ENOSYS))
        self._add(_ins(_LOAD, _NUMBER), _ins(_JGE, _X32_BIT, jf=1), _refuse(errno.ENOSYS))

    def _add(self, *instructions: bytes) -> None:
        for instruction in instructions:
            self._code += instruction

    def refuse(self, number: int, *, errno_: int) -> None:
        """Answers one call with an error of its own."""
        self.answered.add(number)
        self._add(_ins(_JEQ, number, jf=1), _refuse(errno_))

    def allow_if(
        self, number: int, tests: Sequence[tuple[int, int, Sequence[int]]], *, otherwise: int
    ) -> None:
        """Allows a call when each (argument, mask, values) holds on the argument's low word, or on its high
        word where the argument's number is `HIGH` more.

        A mask of 0 means the whole word; the value `_OWN_PID` stands for the process's own id.
        """
        self.answered.add(number)
        body: list[bytes] = []
        pids: list[int] = []
        for index, mask, values in tests:
            body.append(_ins(_LOAD, _argument(index)))
            if mask:
                body.append(_ins(_AND, mask))
            for place, value in enumerate(values):
                if value == _OWN_PID:
                    pids.append(len(body))
                last = place == len(values) - 1
                # A hit jumps over the remaining values and the refusal.
                body.append(_ins(_JEQ, 0 if value == _OWN_PID else value, jt=len(values) - place, jf=0))
                if last:
                    body.append(_refuse(otherwise))
        body.append(_RET_ALLOW)
        self._add(_ins(_JEQ, number, jf=len(body)))
        start = len(self._code) // 8
        self._pids += [start + place for place in pids]
        self._add(*body)

    def allow(self, numbers: Sequence[int]) -> None:
        """Allows the calls of a sorted list, and refuses all that was not named before it."""
        ranges: list[list[int]] = []
        free = {*self.answered, *NO_CALL}
        for number in numbers:
            if ranges and all(between in free for between in range(ranges[-1][1] + 1, number)):
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        self._add(*_tree(ranges))

    def prepare(self) -> Installer:
        """The filter laid out in memory, to be put on after a fork."""
        return Installer(bytes(self._code), [place * 8 + 4 for place in self._pids])


def _start(*, may_fork: bool) -> Program:
    program = Program()
    program.refuse(435, errno_=errno.ENOSYS)  # clone3
    # A thread with a table of open files of its own would have the limit on them once more.
    thread = _CLONE_THREAD | _CLONE_FILES
    wanted = (0,) if may_fork else (thread,)
    mask = _CLONE_NEW_ANY if may_fork else thread | _CLONE_NEW_ANY
    program.allow_if(56, [(0, mask, wanted)], otherwise=errno.EPERM)
    return program


def _narrow(program: Program) -> None:
    """Calls whose arguments decide, for code that is not ours."""
    program.allow_if(16, [(1, 0, _IOCTLS)], otherwise=errno.ENOTTY)
    program.allow_if(72, [(1, 0, _FCNTLS)], otherwise=errno.EPERM)
    program.allow_if(157, [(0, 0, _PRCTLS)], otherwise=errno.EPERM)
    # Unix pairs of streams or packets talk to each other alone; one of datagrams could be given an address.
    program.allow_if(53, [(0, 0, (1,)), (1, 0xF, (1, 5))], otherwise=errno.EPERM)
    program.allow_if(302, [(0, 0, (0, _OWN_PID))], otherwise=errno.EPERM)
    # The clocks that have a number; those of another process, which are below 0, tell what ran before.
    for number in (222, 228, 229, 230):  # timer_create, clock_gettime, clock_getres, clock_nanosleep
        program.allow_if(number, [(0, 0xFFFFFFF0, (0,))], otherwise=errno.EINVAL)


def solution_filter(*, exec_fd: int | None = None, passwords: tuple[int, int] = (0, 0)) -> Program:
    """For one test: threads, but no other process, no exec, no network, no signal to anyone else.

    With `exec_fd` the one program open at that descriptor may be started, by whoever knows the `passwords` of
    32 bits: the high words of the descriptor and of the flags, which the kernel does not read. What has been
    started does not know them, so that it starts nothing else.
    """
    program = _start(may_fork=False)
    _narrow(program)
    program.allow_if(62, [(0, 0, (_OWN_PID,))], otherwise=errno.EPERM)
    program.allow_if(234, [(0, 0, (_OWN_PID,))], otherwise=errno.EPERM)
    if exec_fd is not None:
        words = ((0, exec_fd), (4, 0x1000), (HIGH + 0, passwords[0]), (HIGH + 4, passwords[1]))
        program.allow_if(322, [(place, 0, (word,)) for place, word in words], otherwise=errno.EPERM)
    program.allow(_numbers(BASIC))
    return program


def compiler_filter() -> Program:
    """For a compiler, which starts its own passes; what it reads is bounded by the file rules."""
    program = _start(may_fork=True)
    _narrow(program)
    program.allow(sorted(_numbers(BASIC) + _numbers(MORE_FOR_COMPILER)))
    return program


def supervisor_filter() -> Program:
    """For the per-solution process, from before it reads the solution."""
    program = _start(may_fork=True)
    program.allow(sorted(_numbers(BASIC) + _numbers(MORE_FOR_SUPERVISOR)))
    return program


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))


class Installer:
    """A filter in place for the kernel to read; the process id is written into it at the last moment."""

    def __init__(self, code: bytes, places: list[int]):
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _SockFprog(len(code) // 8, ctypes.cast(self._code, ctypes.c_char_p))
        self._places = places
        self._step = [step("seccomp", _SECCOMP, 1, 0, ctypes.byref(self._program))]

    def bytes_for(self, pid: int) -> bytes:
        """Writes the process into the filter, and gives it as the kernel then reads it."""
        for place in self._places:
            struct.pack_into("I", self._code, place, pid)
        return self._code.raw

    def install(self) -> None:
        """Puts the filter on this process and all that it starts; needs no_new_privs.

        Raises:
            KernelError: the kernel has no seccomp, another machine type, or a filter forbids filters.
        """
        if _MACHINE not in ("x86_64", "AMD64"):
            raise KernelError(f"seccomp (no table for {_MACHINE})", errno.ENOSYS)
        self.bytes_for(os.getpid())
        take(self._step)


SOLUTION = solution_filter().prepare()
SUPERVISOR = supervisor_filter().prepare()
"""Assembled once, in the zygote: assembling takes longer than a test."""
