"""The system call filters, walked instruction by instruction as the kernel would."""

from __future__ import annotations

import errno
import struct

import pytest

from sandbox.inside import filters

ALLOW = 0x7FFF0000
X86_64, I386 = 0xC000003E, 0x40000003
CLONE, FCNTL, KILL, PRLIMIT, SOCKETPAIR, EXECVEAT = 56, 72, 62, 302, 53, 322
CLONE_THREAD, CLONE_FILES, CLONE_NEWUSER, SIGCHLD = 0x10000, 0x400, 0x10000000, 17
CLOCK_CALLS = {"timer_create": 222, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230}


def answer(code: bytes, number: int, *arguments: int, arch: int = X86_64) -> int:
    """What a filter returns for one call."""
    words = (*arguments, *[0] * (6 - len(arguments)))
    call = struct.pack("<IIQ6Q", number, arch, 0, *(word & (1 << 64) - 1 for word in words))
    value = place = 0
    while True:
        operation, if_true, if_false, operand = struct.unpack_from("HBBI", code, place * 8)
        place += 1
        match operation:
            case 0x20:
                value = struct.unpack_from("<I", call, operand)[0]
            case 0x54:
                value &= operand
            case 0x06:
                return int(operand)
            case 0x15:
                place += if_true if value == operand else if_false
            case 0x35:
                place += if_true if value >= operand else if_false
            case _:
                raise AssertionError(f"unknown instruction {operation:#x}")


def _refused(result: int) -> bool:
    return result & 0xFFFF0000 == 0x00050000 and result & 0xFFFF > 0


@pytest.mark.parametrize("kind", ["solution", "supervisor", "compiler"])
def test_every_number_is_answered_as_the_list_says(kind: str) -> None:
    made, more = {
        "solution": (filters.solution_filter(), ""),
        "supervisor": (filters.supervisor_filter(), filters.MORE_FOR_SUPERVISOR),
        "compiler": (filters.compiler_filter(), filters.MORE_FOR_COMPILER),
    }[kind]
    wanted = {int(item.partition("=")[2]) for item in (filters.BASIC + more).split()}
    code = made.prepare().bytes_for(1234)
    open_to_choice = made.answered | set(filters.NO_CALL)
    wrong = [
        number
        for number in range(1024)
        if number not in open_to_choice and (answer(code, number) == ALLOW) != (number in wanted)
    ]
    assert not wrong, f"numbers answered otherwise than the list says: {wrong}"


def test_other_tables_of_numbers_are_closed() -> None:
    code = filters.solution_filter().prepare().bytes_for(1)
    for number in (0, 1, 11, 39, 60, 102):
        assert _refused(answer(code, number, arch=I386)), "32-bit calls have other meanings"
        assert _refused(answer(code, number | 0x40000000)), "x32 calls have other meanings"


def test_arguments_decide_where_they_matter() -> None:
    code = filters.solution_filter(exec_fd=3, passwords=(0xDEADBEEF, 7)).prepare().bytes_for(1234)
    fd, flags = 0xDEADBEEF << 32 | 3, 7 << 32 | 0x1000
    allowed = [
        (CLONE, CLONE_THREAD | CLONE_FILES | 0x900),
        (FCNTL, 5, 3),
        (FCNTL, 5, 1030),
        (KILL, 1234, 9),
        (PRLIMIT, 0),
        (PRLIMIT, 1234),
        (SOCKETPAIR, 1, 0x80001),
        (EXECVEAT, fd, 0, 0, 0, flags),
        *[(call, clock) for call in CLOCK_CALLS.values() for clock in range(12)],
    ]
    refused = [
        (CLONE, SIGCHLD),
        (CLONE, CLONE_THREAD | CLONE_FILES | CLONE_NEWUSER),
        (CLONE, CLONE_THREAD),
        (FCNTL, 5, 8),
        (FCNTL, 5, 10),
        (KILL, 1, 9),
        (KILL, 0xFFFFFFFF, 9),
        (PRLIMIT, 1),
        (SOCKETPAIR, 1, 2),
        (SOCKETPAIR, 2, 1),
        (EXECVEAT, fd + 1, 0, 0, 0, flags),
        (EXECVEAT, fd, 0, 0, 0, 7 << 32),
        (EXECVEAT, 3, 0, 0, 0, 0x1000),
        (EXECVEAT, fd, 0, 0, 0, 0x1000),
        (EXECVEAT, 3, 0, 0, 0, flags),
        *[(call, (~pid << 3) | 2) for call in CLOCK_CALLS.values() for pid in (1, 1234)],
    ]
    assert [call for call in allowed if answer(code, *call) != ALLOW] == []
    assert [call for call in refused if not _refused(answer(code, *call))] == []


def test_a_call_that_must_look_absent_does() -> None:
    code = filters.solution_filter().prepare().bytes_for(1)
    assert answer(code, 435) & 0xFFFF == errno.ENOSYS, "the C library then uses clone, which can be judged"
