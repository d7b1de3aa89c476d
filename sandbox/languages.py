"""The languages that can be run, and how each is compiled and started."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

__all__ = ["ALIASES", "CPP_FLAGS", "CPP_HARNESS", "HARNESS", "LANGUAGES", "Language"]


@dataclass(frozen=True, slots=True)
class Language:
    """How to compile and run one language. `{home}` in an argument is the scratch directory, `{headers}` the
    headers."""

    tool: str
    source: Callable[[str], str]
    """File name of a source text."""
    compile: tuple[str, ...] = ()
    """Arguments of the compiler after its own path; empty where nothing is compiled."""
    outputs: tuple[str, ...] = ()
    """Ends of the names of the files that the compiler makes."""
    run_tool: str | None = None
    """Program that runs the result; null when the result is itself a program."""
    run: tuple[str, ...] = ()
    bounded: bool = True
    """Address space is a fair measure of memory; not so for run-times that reserve far more than they use."""
    compile_bounded: bool = True


def _java_file(code: str) -> str:
    found = re.search(r"\bpublic\s+(?:final\s+|abstract\s+)*class\s+(\w+)", code)
    return f"{found[1] if found else 'Main'}.java"


CPP_FLAGS = ("-O2", "-std=c++17", "-x", "c++", "-I{headers}", "-fdiagnostics-color=never", "-fmax-errors=5")
_JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xss64m", "-Xshare:auto")

LANGUAGES: dict[str, Language] = {
    "cpp": Language("g++", lambda _: "main.cpp", (*CPP_FLAGS, "main.cpp", "-o", "program"), ("program",)),
    "rust": Language(
        "rustc",
        lambda _: "main.rs",
        ("--edition", "2021", "-O", "-C", "codegen-units=1", "main.rs", "-o", "program"),
        ("program",),
        compile_bounded=False,
    ),
    "javascript": Language("node", lambda _: "main.js", run_tool="node", run=("main.js",), bounded=False),
    "java": Language(
        "javac",
        _java_file,
        (
            "-J-XX:+UseSerialGC",
            "-J-XX:TieredStopAtLevel=1",
            "-J-XX:-UsePerfData",
            "-nowarn",
            "-d",
            ".",
            "{source}",
        ),
        (".class",),
        run_tool="java",
        run=(*_JAVA, "-Xmx{memory_mb}m", "-cp", ".", "{main}"),
        bounded=False,
        compile_bounded=False,
    ),
}

# The linker sends the start-up code's call of `main` to the wrapper; the real main stays a main, so that
# falling off its end returns 0. An exit before the last assert leaves the output empty. REPORTS is 1, or 0
# for the control that only a program which reports by itself can pass.
CPP_HARNESS = replace(LANGUAGES["cpp"], compile=(*LANGUAGES["cpp"].compile, "-Wl,--wrap=main"))
HARNESS = """
#undef read
#undef write
#undef main
#undef __real_main
#undef __wrap_main
#undef extern
#undef int
#undef char
#undef long
#undef return
#undef sizeof
#undef volatile
#include <unistd.h>
extern "C" int __real_main(int, char**, char**);
extern "C" int __wrap_main(int count, char** arguments, char** environment) {
    int status = __real_main(count, arguments, environment);
    char text[256];
    volatile int reports = REPORTS;
    long size = status == 0 && reports ? read(0, text, sizeof text) : 0;
    return size > 0 && write(1, text, size) == size ? 0 : (status ? status : 1);
}
"""

ALIASES = {
    "python3": "python",
    "py": "python",
    "c++": "cpp",
    "c++17": "cpp",
    "cpp17": "cpp",
    "js": "javascript",
}
ALIASES |= {"nodejs": "javascript", "rs": "rust"}
