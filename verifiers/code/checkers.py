"""Checkers: programs that judge an output where more than one is right. They run in the sandbox too."""

from __future__ import annotations

import json
import math

from sandbox import Limits, Sandbox, StdinTest
from verifiers.testforms import BadTests, Checker

__all__ = ["accepts"]

_LIMITS = Limits(cpu_s=20, memory_mb=1024, scratch_mb=256, output_mb=64)
_REJECTED = (1, 2, 4, 7, 8)
"""testlib's wrong answer, presentation error, dirt, points, unexpected end. 3 is the jury's own fault."""

_PYTHON = """
import json, sys
source = {code!r}
names = []
for name, text in json.load(sys.stdin):
    with open(name, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
    names.append(name)
sys.argv = ["checker.py", *names]
exec(compile(source, "checker.py", "exec"), {{"__name__": "__main__"}})
"""

# The checker's main becomes a function that is called with the files in place.
_CPP_HEAD = "#define main checker_main\n"
_CPP_TAIL = r"""
#undef main
#include <cstdio>
#include <cstdlib>
#include <string>
int main() {
    char* arguments[5] = {(char*)"checker", nullptr, nullptr, nullptr, nullptr};
    for (int place = 1; place <= 3; place++) {
        char name[64];
        long size = 0;
        if (scanf("%63s %ld", name, &size) != 2) return 3;
        getchar();
        std::string text((size_t)size, '\0');
        if (fread(&text[0], 1, text.size(), stdin) != text.size()) return 3;
        FILE* file = fopen(name, "wb");
        if (!file || fwrite(text.data(), 1, text.size(), file) != text.size() || fclose(file)) return 3;
        arguments[place] = strdup(name);
    }
    return checker_main(4, arguments);
}
"""


def accepts(box: Sandbox, checker: Checker, given: str, wanted: str, output: str) -> bool:
    """Whether the checker accepts an output. One that makes it crash, where the output wanted does not, is
    rejected.

    Raises:
        BadTests: the checker does not compile, crashes, or prints no score whatever it is given.
    """
    try:
        return _judged(box, checker, given, wanted, output)
    except BadTests:
        _judged(box, checker, given, wanted, wanted)
        return False


def _judged(box: Sandbox, checker: Checker, given: str, wanted: str, output: str) -> bool:
    files = [("input.txt", given), ("correct_output.txt", wanted), ("solution_output.txt", output)]
    if checker.protocol == "testlib":
        files[1], files[2] = files[2], files[1]
    code, stdin = _program(checker, files)
    result = box.run_stdin(code, [StdinTest(stdin)], language=checker.language, limits=_LIMITS)
    if not result.tests:
        raise BadTests(f"the checker does not run: {result.verdict} {result.reason}")
    ended = result.tests[0]
    if checker.protocol == "testlib":
        if ended.verdict == "RE" and ended.exit_code in _REJECTED and "Traceback" not in ended.stderr:
            return False
        if ended.verdict == "AC":
            return True
    if ended.verdict != "AC":
        raise BadTests(f"the checker does not run: {ended.verdict} {ended.reason}")
    return _score(ended.stdout) >= 1


def _program(checker: Checker, files: list[tuple[str, str]]) -> tuple[str, str]:
    """The source of the checker's program and its standard input."""
    if checker.language == "python":
        return _PYTHON.format(code=checker.code), json.dumps(files)
    stdin = "".join(f"{name} {len(text.encode('utf-8', 'surrogatepass'))}\n{text}\n" for name, text in files)
    return f"{_CPP_HEAD}{checker.code}\n{_CPP_TAIL}", stdin


def _score(printed: str) -> float:
    lines = [line for line in printed.splitlines() if line.strip()]
    try:
        score = float(lines[-1]) if lines else math.nan
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise BadTests(f"the checker prints no score but {printed[-80:]!r}")
    return score
