"""Attacks by compiled programs, which may make any system call with any argument."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

import time

import pytest

from sandbox import Limits, Sandbox, StdinTest

NATIVE = {
    "starting another program from the one descriptor that could be started": """
#include <fcntl.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <cstdio>
int main(int argc, char** argv) {
    if (argc > 1) { puts("through again"); return 0; }
    const char* names[] = {"/bin/echo", "/usr/bin/echo", "/proc/self/exe", "/lib64/ld-linux-x86-64.so.2"};
    char* a[] = {(char*)"echo", (char*)"through", nullptr}; char* e[] = {nullptr};
    for (int i = -1; i < 4; i++) {
        if (i >= 0) { int fd = open(names[i], O_RDONLY); if (fd < 0) continue; dup2(fd, 3); }
        syscall(SYS_execveat, 3, "", a, e, 0x1000);
        syscall(SYS_execveat, 3L | 1L << 32, "", a, e, 0x1000L | 1L << 32);
        syscall(SYS_execve, i < 0 ? "/bin/echo" : names[i], a, e);
    }
    puts("no");
}""",
    "changing one's own program for the next run": """
#include <fcntl.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <cstdio>
int main() {
    const char* names[] = {"/proc/self/exe", "/proc/self/fd/3", "/dev/fd/3"};
    for (auto name : names) {
        int fd = open(name, O_RDWR); if (fd >= 0) { if (write(fd, "x", 1) > 0) puts("through write"); close(fd); }
        if (truncate(name, 0) == 0) puts("through truncate");
        fd = open(name, O_RDONLY); if (fd < 0) continue;
        if (ftruncate(fd, 0) == 0 || fallocate(fd, 0, 0, 1 << 20) == 0) puts("through size");
        if (mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED) puts("through map");
    }
    puts("no");
}""",
}


@pytest.mark.parametrize("name", NATIVE)
def test_a_compiled_program_gets_nowhere(box: Sandbox, name: str) -> None:
    if "cpp" not in box.languages():
        pytest.skip("no tool for cpp")
    limits = Limits(cpu_s=2, compile_cpu_s=60)
    for _ in range(2):
        result = box.run_stdin(NATIVE[name], [StdinTest("", "no")] * 2, language="cpp", limits=limits)
        assert result.verdict == "AC", f"{name}: {result}"


def test_a_cached_program_does_not_tell_that_it_ran_before(box: Sandbox) -> None:
    if "cpp" not in box.languages():
        pytest.skip("no tool for cpp")
    code = """
#include <sys/stat.h>
#include <cstdio>
int main() {
    struct stat s; double begun; scanf("%lf", &begun);
    if (stat("/proc/self/exe", &s)) { puts("unseen"); return 0; }
    double first = s.st_mtim.tv_sec + s.st_mtim.tv_nsec / 1e9;
    puts(first > begun ? "new" : "old");
}"""
    limits = Limits(cpu_s=2, compile_cpu_s=60)
    for _ in range(2):
        time.sleep(0.2)
        result = box.run_stdin(code, [StdinTest(f"{time.time() - 0.1}")], language="cpp", limits=limits)
        assert result.tests[0].stdout in ("new\n", "unseen\n"), "the program's file is older than the run"
