"""The tools found on this machine, and the programs that they have compiled in the sandbox."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.engine import Engine
from sandbox.languages import ALIASES, CPP_FLAGS, CPP_HARNESS, HARNESS, LANGUAGES, Language
from sandbox.model import Limits, Result, SandboxError
from sandbox.slot_dir import readable_by_others

__all__ = ["Artifact", "Toolbox"]

_CACHE_BYTES = 256 << 20
"""Compiled programs kept in memory, least recently used first out."""

_HEADER_LIMITS = Limits(compile_cpu_s=60, compile_memory_mb=2048, scratch_mb=512)


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a request needs to run a program: its head, the bytes before the tests, and compiled programs."""

    head: dict[str, Any]
    blobs: list[bytes]
    programs: list[bytes] = field(default_factory=list)


class Toolbox:
    """The tools found on this machine, and the programs compiled so far."""

    def __init__(self) -> None:
        self.roots: list[str] = []
        self._tools = {
            name: path for name in ("g++", "node", "java", "javac", "rustc") if (path := self._find(name))
        }
        self._cache: OrderedDict[str, Artifact] = OrderedDict()
        self._sizes: dict[str, int] = {}
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

    def languages(self) -> list[str]:
        """The languages that can be run here."""
        return ["python", *(name for name, language in LANGUAGES.items() if self._has(language))]

    def _has(self, language: Language) -> bool:
        return language.tool in self._tools and (language.run_tool or language.tool) in self._tools

    def build(
        self, engine: Engine, code: str, name: str, limits: Limits, *, harness: str = ""
    ) -> Artifact | Result:
        """What is needed to run `code`: compiled in the sandbox, or taken from the cache; or a result that
        says CE.

        With `harness` (C++) "1" the program repeats the text of its input only after `main` has returned 0,
        with "0" never.

        Raises:
            SandboxError: the language is unknown or its tool is not installed.
        """
        source = code.encode("utf-8", "surrogatepass")
        name = ALIASES.get(name.lower(), name.lower())
        if name == "python":
            return Artifact({"job": "stdin"}, [source])
        language = LANGUAGES.get(name)
        if harness:
            if name != "cpp":
                raise SandboxError(f"assert tests can be run in python and cpp, not in {name!r}")
            language = CPP_HARNESS
            code += HARNESS.replace("REPORTS", harness)
        if language is None or not self._has(language):
            raise SandboxError(
                f"language {name!r} is not available here; there are {', '.join(self.languages())}"
            )
        if name == "cpp" and b"bits/stdc++.h" in source:
            self._precompile_headers(engine)
        program = _file_program if language.compile else _script_program
        return program(self, engine, language, code, limits)

    def cached(self, key: str) -> Artifact | None:
        """A program compiled before."""
        with self._lock:
            found = self._cache.get(key)
            if found is not None:
                self._cache.move_to_end(key)
            return found

    def keep(self, key: str, artifact: Artifact, size: int) -> None:
        """Remembers a compiled program, and forgets those longest unused when there are too many."""
        with self._lock:
            if key in self._cache:
                return
            self._cache[key] = artifact
            self._sizes[key] = size
            while sum(self._sizes.values()) > _CACHE_BYTES and len(self._cache) > 1:
                oldest, _ = self._cache.popitem(last=False)
                del self._sizes[oldest]

    def compiler(self, language: Language) -> str:
        """Path of a language's tool."""
        return self._tools[language.tool]

    def runner(self, language: Language) -> str | None:
        """Path of the program that runs the result, if it is not one itself."""
        return self._tools[language.run_tool] if language.run_tool else None

    def _precompile_headers(self, engine: Engine) -> None:
        """Compiles <bits/stdc++.h> once, in the sandbox: it takes most of a compilation otherwise."""
        with self._header_lock:
            if self._header_tried:
                return
            self._header_tried = True
            flags = [flag for flag in CPP_FLAGS if flag not in ("-x", "c++")]
            argv = [self._tools["g++"], *flags, "-x", "c++-header", "main.h", "-o", "stdc++.h.gch"]
            head = _build_head(
                argv, ["main.h"], ["stdc++.h.gch"], self._tools["g++"], engine.headers, bounded=True
            )
            record = engine.request(head, [b"#include <bits/stdc++.h>\n"], limits=_HEADER_LIMITS, tests=0)
            if isinstance(record, Result):
                return
            for frame, parts in record:
                if frame.get("artifact"):
                    _publish(f"{engine.headers}/bits", "stdc++.h.gch", parts[0])


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


def _script_program(
    tools: Toolbox, engine: Engine, language: Language, code: str, limits: Limits
) -> Artifact:
    del engine, limits
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
    tools: Toolbox, engine: Engine, language: Language, code: str, limits: Limits
) -> Artifact | Result:
    compiler, runner = tools.compiler(language), tools.runner(language)
    name = language.source(code)
    argv = [compiler, *(arg.replace("{source}", name) for arg in language.compile)]
    key = hashlib.sha256(
        repr((code, argv, os.stat(compiler).st_mtime_ns)).encode("utf-8", "surrogatepass")
    ).hexdigest()
    artifact = tools.cached(key)
    if artifact is None:
        built = _compile(tools, engine, language, argv, name, code, limits)
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
    tools: Toolbox,
    engine: Engine,
    language: Language,
    argv: list[str],
    name: str,
    code: str,
    limits: Limits,
) -> tuple[list[str], list[bytes]] | Result:
    head = _build_head(
        argv, [name], language.outputs, argv[0], engine.headers, bounded=language.compile_bounded
    )
    roomy = replace(limits, scratch_mb=max(limits.scratch_mb, 256), output_mb=1.0)
    record = engine.request(head, [code.encode("utf-8", "surrogatepass")], limits=roomy, tests=0)
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
    return Artifact({**head, "argv": ["./program"], "files": [], "execute": []}, [], contents[:1])
