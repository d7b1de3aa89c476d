"""The languages that can be run, the tools they need, and the programs already compiled."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sandbox.model import Limits, Result, SandboxError
from sandbox.place import readable_by_others

if TYPE_CHECKING:
    from sandbox.driver import Sandbox

__all__ = ["LANGUAGES", "Artifact", "Toolbox"]

_CACHE_BYTES = 256 << 20
"""Compiled programs kept in memory, least recently used first out."""

_HEADER_LIMITS = Limits(compile_cpu_s=60, compile_memory_mb=2048, scratch_mb=512)


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a request needs to run a program: its head, the bytes before the tests, and open files."""

    head: dict[str, Any]
    blobs: list[bytes]
    files: list[int] = field(default_factory=list)


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


_CPP_FLAGS = ("-O2", "-std=c++17", "-x", "c++", "-I{headers}", "-fdiagnostics-color=never", "-fmax-errors=5")
_JAVA = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xss64m", "-Xshare:auto")

LANGUAGES: dict[str, Language] = {
    "cpp": Language("g++", lambda _: "main.cpp", (*_CPP_FLAGS, "main.cpp", "-o", "program"), ("program",)),
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
# falling off its end returns 0. An exit before the last assert leaves the output empty.
_CPP_HARNESS = replace(LANGUAGES["cpp"], compile=(*LANGUAGES["cpp"].compile, "-Wl,--wrap=main"))
_HARNESS = """
#include <unistd.h>
extern "C" int __real_main(int, char**, char**);
extern "C" int __wrap_main(int count, char** arguments, char** environment) {
    int status = __real_main(count, arguments, environment);
    char text[256];
    long size = status == 0 ? read(0, text, sizeof text) : 0;
    return size > 0 && write(1, text, size) == size ? 0 : (status ? status : 1);
}
"""

_NAMES = {
    "python3": "python",
    "py": "python",
    "c++": "cpp",
    "c++17": "cpp",
    "cpp17": "cpp",
    "js": "javascript",
}
_NAMES |= {"nodejs": "javascript", "rs": "rust"}


class Toolbox:
    """The tools found on this machine, and the programs compiled so far."""

    def __init__(self, headers: str):
        self.headers = headers
        self.roots: list[str] = []
        self._tools = {
            name: path for name in ("g++", "node", "java", "javac", "rustc") if (path := self._find(name))
        }
        self._cache: OrderedDict[str, Artifact] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()
        self._header_lock = threading.Lock()
        self._header_tried = False

    def _find(self, name: str) -> str | None:
        found = shutil.which(name)
        if found is None:
            return None
        if name == "rustc":
            # The command may be a proxy that downloads; the compiler itself is below its system root.
            asked = subprocess.run(
                [found, "--print", "sysroot"], capture_output=True, text=True, timeout=60, check=False
            )
            root = asked.stdout.strip()
            if asked.returncode or not os.access(f"{root}/bin/rustc", os.X_OK):
                return None
            if not root.startswith("/usr"):
                self.roots.append(root)
            return f"{root}/bin/rustc"
        return os.path.realpath(found)

    def keep_readable(self) -> None:
        """Forgets the tools that a user who owns nothing cannot reach."""
        self._tools = {name: path for name, path in self._tools.items() if readable_by_others(path)}

    def close(self) -> None:
        """Lets go of the compiled programs."""
        with self._lock:
            for artifact in self._cache.values():
                for fd in artifact.files:
                    os.close(fd)
            self._cache.clear()

    def languages(self) -> list[str]:
        """The languages that can be run here."""
        return ["python", *(name for name, language in LANGUAGES.items() if self._has(language))]

    def _has(self, language: Language) -> bool:
        return language.tool in self._tools and (language.run_tool or language.tool) in self._tools

    def build(
        self, box: Sandbox, code: str, name: str, limits: Limits, *, harness: bool = False
    ) -> Artifact | Result:
        """What is needed to run `code`: compiled in the sandbox, or taken from the cache; or a result that
        says CE.

        With `harness` (C++) the program repeats the text of its input only after `main` has returned 0.

        Raises:
            SandboxError: the language is unknown or its tool is not installed.
        """
        source = code.encode("utf-8", "surrogatepass")
        name = _NAMES.get(name.lower(), name.lower())
        if name == "python":
            return Artifact({"job": "stdin"}, [source])
        language = LANGUAGES.get(name)
        if harness:
            if name != "cpp":
                raise SandboxError(f"assert tests can be run in python and cpp, not in {name!r}")
            language = _CPP_HARNESS
            code += _HARNESS
        if language is None or not self._has(language):
            raise SandboxError(
                f"language {name!r} is not available here; there are {', '.join(self.languages())}"
            )
        if name == "cpp" and b"bits/stdc++.h" in source:
            self._precompile_headers(box)
        program = _file_program if language.compile else _script_program
        return program(self, box, language, code, limits)

    def cached(self, key: str) -> Artifact | None:
        """A program compiled before."""
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
            return found

    def keep(self, key: str, artifact: Artifact, size: int) -> Artifact:
        """Remembers a compiled program. Programs that drop out are closed only with the sandbox's last use of
        them."""
        with self._lock:
            if key in self._cache:
                for fd in artifact.files:
                    os.close(fd)
                return self._cache[key]
            self._cache[key] = artifact
            self._held += size
            return artifact

    def compiler(self, language: Language) -> str:
        """Path of a language's tool."""
        return self._tools[language.tool]

    def runner(self, language: Language) -> str | None:
        """Path of the program that runs the result, if it is not one itself."""
        return self._tools[language.run_tool] if language.run_tool else None

    def _precompile_headers(self, box: Sandbox) -> None:
        """Compiles <bits/stdc++.h> once, in the sandbox: it takes most of a compilation otherwise."""
        with self._header_lock:
            if self._header_tried:
                return
            self._header_tried = True
            flags = [flag for flag in _CPP_FLAGS if flag not in ("-x", "c++")]
            argv = [self._tools["g++"], *flags, "-x", "c++-header", "main.h", "-o", "stdc++.h.gch"]
            head = _build_head(
                argv, ["main.h"], ["stdc++.h.gch"], self._tools["g++"], self.headers, bounded=True
            )
            record = box.request(head, [b"#include <bits/stdc++.h>\n"], limits=_HEADER_LIMITS, tests=0)
            if isinstance(record, Result):
                return
            for frame, parts in record:
                if frame.get("artifact"):
                    _publish(f"{self.headers}/bits", "stdc++.h.gch", parts[0])


def _publish(directory: str, name: str, content: bytes) -> None:
    os.makedirs(directory, mode=0o755, exist_ok=True)
    with open(f"{directory}/.{name}", "wb") as file:
        file.write(content)
    os.chmod(f"{directory}/.{name}", 0o644)
    os.rename(f"{directory}/.{name}", f"{directory}/{name}")


def _build_head(
    argv: list[str], files: list[str], outputs: Sequence[str], tool: str, headers: str, *, bounded: bool
) -> dict[str, Any]:
    return {
        "job": "build",
        "argv": [arg.replace("{headers}", headers) for arg in argv],
        "files": files,
        "outputs": list(outputs),
        "execute": [tool],
        "bounded": bounded,
    }


def _script_program(tools: Toolbox, box: Sandbox, language: Language, code: str, limits: Limits) -> Artifact:
    del box, limits
    runner = tools.runner(language)
    assert runner is not None
    name = language.source(code)
    head = {
        "job": "program",
        "argv": [runner, *language.run],
        "files": [name],
        "execute": [runner],
        "bounded": language.bounded,
    }
    return Artifact(head, [code.encode("utf-8", "surrogatepass")])


def _file_program(
    tools: Toolbox, box: Sandbox, language: Language, code: str, limits: Limits
) -> Artifact | Result:
    compiler, runner = tools.compiler(language), tools.runner(language)
    name = language.source(code)
    argv = [compiler, *(arg.replace("{source}", name) for arg in language.compile)]
    key = hashlib.sha256(
        repr((code, argv, os.stat(compiler).st_mtime_ns)).encode("utf-8", "surrogatepass")
    ).hexdigest()
    artifact = tools.cached(key)
    if artifact is None:
        built = _compile(tools, box, language, argv, name, code, limits)
        if isinstance(built, Result):
            return built
        names, contents = built
        artifact = _program_artifact(language, runner, names, contents)
        tools.keep(key, artifact, sum(map(len, contents)))
    if runner is None:
        return artifact
    main = name.removesuffix(".java")
    argv = [
        runner,
        *(arg.replace("{memory_mb}", str(limits.memory_mb)).replace("{main}", main) for arg in language.run),
    ]
    return replace(artifact, head={**artifact.head, "argv": argv})


def _compile(
    tools: Toolbox, box: Sandbox, language: Language, argv: list[str], name: str, code: str, limits: Limits
) -> tuple[list[str], list[bytes]] | Result:
    head = _build_head(
        argv, [name], language.outputs, argv[0], tools.headers, bounded=language.compile_bounded
    )
    roomy = replace(limits, scratch_mb=max(limits.scratch_mb, 256), output_mb=1.0)
    record = box.request(head, [code.encode("utf-8", "surrogatepass")], limits=roomy, tests=0)
    if isinstance(record, Result):
        return record
    for frame, parts in record:
        if frame.get("artifact"):
            return frame["artifact"], parts
    frame, parts = record[0]
    what = parts[1].decode(errors="replace").strip()[:2000]
    if frame["killed"] or frame["signal"]:
        what = f"stopped by the limit on {frame['killed'] or 'CPU or memory'}. {what}"
    return Result("CE", reason=what.strip() or f"the compiler ended with status {frame['exit']}")


def _program_artifact(
    language: Language, runner: str | None, names: list[str], contents: list[bytes]
) -> Artifact:
    head: dict[str, Any] = {"job": "program", "bounded": language.bounded}
    if runner is not None:
        return Artifact({**head, "files": names, "execute": [runner]}, contents)
    fd = os.memfd_create("program", os.MFD_CLOEXEC)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(contents[0])
        # A program that is open for writing cannot be executed.
        readable = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(fd)
    return Artifact({**head, "argv": ["./program"], "files": [], "execute": []}, [], [readable])
