"""Programs in other languages, where their tools are installed."""

# ruff: noqa: E501 - the programs are kept as they would be written

from __future__ import annotations

from dataclasses import replace

import pytest

from sandbox import Limits, Sandbox, StdinTest

ROOMY = Limits(cpu_s=5, memory_mb=512, compile_cpu_s=60)

ADD1 = {
    "cpp": "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n + 1 << '\\n'; }",
    "javascript": "console.log(parseInt(require('fs').readFileSync(0)) + 1)",
    "java": "import java.util.*;\nclass Twice { static int f(int n) { return n + 1; } }\n"
    "public class Main { public static void main(String[] a) {"
    " System.out.println(Twice.f(new Scanner(System.in).nextInt())); } }",
    "rust": "use std::io;\nfn main() { let mut s = String::new(); io::stdin().read_line(&mut s).unwrap();"
    ' println!("{}", s.trim().parse::<i64>().unwrap() + 1); }',
}


def _has(box: Sandbox, language: str) -> None:
    if language not in box.languages():
        pytest.skip(f"no tool for {language} that the tier {box.tier} can show")


@pytest.mark.parametrize("language", ADD1)
def test_runs_a_program(box: Sandbox, language: str) -> None:
    _has(box, language)
    tests = [StdinTest("41\n", "42\n"), StdinTest("1\n", "3\n")]
    result = box.run_stdin(ADD1[language], tests, language=language, limits=ROOMY)
    assert [test.verdict for test in result.tests] == ["AC", "WA"], result


@pytest.mark.parametrize("language", ["cpp", "java", "rust"])
def test_what_does_not_compile_says_why(box: Sandbox, language: str) -> None:
    _has(box, language)
    result = box.run_stdin("int main( {", [StdinTest("")], language=language, limits=ROOMY)
    assert (result.verdict, result.tests) == ("CE", [])
    assert "error" in result.reason


def test_a_compiled_program_is_compiled_once(box: Sandbox) -> None:
    _has(box, "cpp")
    code = '#include <bits/stdc++.h>\nint main() { std::cout << "once"; }'
    first = box.run_stdin(code, [StdinTest("", "once")], language="cpp", limits=ROOMY)
    too_small = replace(ROOMY, compile_memory_mb=1)
    second = box.run_stdin(code, [StdinTest("", "once")], language="cpp", limits=too_small)
    assert (first.verdict, second.verdict) == ("AC", "AC"), (
        "no compiler runs in 1 MB: the program is not remembered"
    )
    other = box.run_stdin(code + "//", [StdinTest("", "once")], language="cpp", limits=too_small)
    assert other.verdict == "CE", "another text is another program"


CPP = {
    "an endless loop": ("int main() { volatile int x = 0; while (true) x = x + 1; }", "TLE"),
    "a wild pointer": ("int main() { volatile int* p = nullptr; *p = 1; }", "RE"),
    "too much memory": (
        "#include <vector>\nint main() { std::vector<char*> v; while (true) { v.push_back(new char[1 << 20]);"
        " for (int i = 0; i < 1 << 20; i += 4096) v.back()[i] = 1; } }",
        "MLE",
    ),
    "too much output": (
        '#include <cstdio>\nint main() { while (true) puts("xxxxxxxxxxxxxxxxxxxxxxx"); }',
        "OLE",
    ),
    "a shell": ('#include <cstdlib>\nint main() { return system("true") != 0; }', "RE"),
    "another program": (
        '#include <unistd.h>\nint main() { execl("/bin/true", "true", nullptr); return 1; }',
        "RE",
    ),
    "deep recursion within the limit": (
        "#include <cstdio>\nint f(int n) { volatile char b[64]; b[0] = n; return n ? f(n - 1) + b[0] * 0 : 0; }\n"
        'int main() { printf("%d\\n", f(200000)); }',
        "AC",
    ),
}


@pytest.mark.parametrize("kind", CPP)
def test_names_what_a_compiled_program_did(box: Sandbox, kind: str) -> None:
    _has(box, "cpp")
    code, verdict = CPP[kind]
    limits = Limits(cpu_s=1, memory_mb=256, output_mb=1, compile_cpu_s=60)
    result = box.run_stdin(code, [StdinTest("", "0\n")], language="cpp", limits=limits)
    assert result.verdict == verdict, f"{kind} got {result}"


def test_asserts_of_a_compiled_program_are_reached(box: Sandbox) -> None:
    _has(box, "cpp")
    code = "#include <cassert>\nint f(int x) { return x + 1; }\n"
    passing = box.run_asserts(code, "int main() { assert(f(1) == 2); }", language="cpp", limits=ROOMY)
    failing = box.run_asserts(code, "int main() { assert(f(1) == 3); }", language="cpp", limits=ROOMY)
    leaving = "#include <unistd.h>\n" + code + "struct L { L() { _exit(0); } } leave;\n"
    early = box.run_asserts(leaving, "int main() { assert(f(1) == 3); }", language="cpp", limits=ROOMY)
    assert (passing.verdict, failing.verdict) == ("AC", "RE")
    assert early.verdict in ("WA", "RE"), "an exit before the asserts is not a pass"
    assert passing.weak_harness, "tests and solution share one program"
