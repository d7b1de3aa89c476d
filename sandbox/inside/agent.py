"""The solution's side of a call: makes the calls that the judge asks for, and sends back plain values.

Nothing here is trusted: this code shares an interpreter with the solution. It only has to be faithful to
honest programs; whatever a dishonest one makes it send is no more than a value that it could have returned.
"""

from __future__ import annotations

import builtins
import collections
import os
import sys
import types
from functools import partial
from typing import Any, NoReturn

from sandbox.inside.arrays import is_array
from sandbox.inside.channel import Closed, Link
from sandbox.inside.child import finish, fresh_module, report
from sandbox.inside.codec import CodecError, encode
from sandbox.inside.decoder import decode
from sandbox.inside.filters import SOLUTION
from sandbox.inside.job import Job, memory_file
from sandbox.inside.lent import CHANGES, Changes, OfJudge, standard
from sandbox.inside.operations import OPERATIONS
from sandbox.inside.supervisor import compile_solution, each_test

__all__ = ["find_entry", "run_calls", "serve"]

_MUTABLE = (list, dict, set, bytearray, collections.deque)


def run_calls(job: Job) -> None:
    """One process per call; the result goes into a file that the driver decodes and compares."""
    code = compile_solution(job)
    module = fresh_module(job.home.directory, name="solution")
    returned = memory_file("returned")
    body = partial(_call_once, code, module, job)
    each_test(job, job.cage(SOLUTION), job.blobs[1:], body, more=[returned], returned=returned)


def _call_once(code: types.CodeType, module: types.ModuleType, job: Job, arguments: bytes) -> NoReturn:
    room = job.limits["output_bytes"] - 1
    status = 0
    try:
        exec(code, module.__dict__)
        result = find_entry(module.__dict__, job.head["entry"])(*decode(arguments))
        if isinstance(result, types.CoroutineType):
            result = _awaited(result)
        try:
            answer = encode(result, special=None, max_bytes=room)
        except CodecError as error:
            answer = b"!" + str(error).encode()
        # Written whole, and last: what is cut short is no answer.
        while answer:
            answer = answer[os.write(3, answer) :]
    except BaseException as error:
        status = 1
        report(error)
    finish(status, wait=False)


def _awaited(coroutine: types.CoroutineType[Any, Any, Any]) -> Any:
    """What a coroutine comes to, alone in a loop of its own."""
    import asyncio  # dear to load, and hardly ever needed

    return asyncio.run(coroutine)


def find_entry(namespace: dict[str, Any], entry: str) -> Any:
    """The function of that name: global, `Class.method`, or a method of a class named Solution."""
    head, _, tail = entry.partition(".")
    found = namespace.get(head)
    if tail:
        return getattr(found() if isinstance(found, type) else found, tail)
    if found is None:
        solution = namespace.get("Solution")
        if isinstance(solution, type) and hasattr(solution, entry):
            return getattr(solution(), entry)
        raise NameError(f"the solution does not define {entry}")
    return found


class _Agent:
    """Objects that the judge holds by number, and what it may ask of them."""

    def __init__(self, fd: int):
        self._objects: list[Any] = [None]
        self._known: dict[int, int] = {}
        self._namespace: dict[str, Any] = {}
        self._changes = Changes("")
        self.link = Link(fd, special=self._refer, resolve=self._resolve)

    def _refer(self, value: Any) -> tuple[int, str] | None:
        if isinstance(value, OfJudge):
            return object.__getattribute__(value, "_number"), ""
        kind = type(value)
        if kind is not type and issubclass(kind, (int, float, str, bytes, tuple, list, dict, set, frozenset)):
            return None
        number = self._known.get(id(value))
        if number is None:
            number = len(self._objects)
            self._objects.append(value)
            self._known[id(value)] = number
        return number, _describe(value, self._namespace.get("__name__", ""))

    def _resolve(self, number: int, text: str) -> Any:
        if number > 0:
            return self._objects[number]
        if number == 0:
            return standard(text)
        return OfJudge(self, number)

    def ask_judge(self, request: list[Any]) -> Any:
        """A call that goes the other way: of a function or an object that the tests passed in."""
        self.link.send(request)
        while True:
            message = self.link.receive()
            if message[0] == "answer":
                if message[1] == "ok":
                    return message[2]
                raise _error_of(message[2])(*message[3])
            self._reply(message)

    def serve(self, namespace: dict[str, Any]) -> None:
        """Answers until the judge hangs up."""
        self._namespace = namespace
        self._changes = Changes(namespace["__name__"])
        while True:
            try:
                self._reply(self.link.receive())
            except Closed:
                return

    def _reply(self, message: list[Any]) -> None:
        before = os.lseek(1, 0, os.SEEK_CUR)
        try:
            result, changed = self._perform(message)
            head = ["ok", result, changed, self._printed(before)]
            self.link.send(head)
        except Closed:
            raise
        except CodecError as error:
            self.link.send(["raise", ["ValueError"], [str(error)], [], self._printed(before)])
        except BaseException as error:
            self._send_error(error, self._printed(before))

    def _send_error(self, error: BaseException, printed: str) -> None:
        names = [
            kind.__name__ for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind
        ]
        kinds = [kind for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is not kind]
        try:
            arguments = list(error.args)
            self.link.pack(arguments)
        except BaseException:
            arguments = []
        try:
            self.link.send(["raise", names, arguments, kinds, printed])
        except CodecError:
            self.link.send(["raise", names, [], [], printed])

    def _perform(self, message: list[Any]) -> tuple[Any, list[Any]]:
        verb, *rest = message
        if verb == "ready":
            return None, []
        if verb == "name":
            return self._namespace[rest[0]], []
        if verb == "await":
            return _awaited(rest[0]), []
        if verb in CHANGES:
            return self._changes.make(verb, *rest), []
        if verb == "get":
            return getattr(rest[0], rest[1]), []
        if verb == "set":
            setattr(rest[0], rest[1], rest[2])
            return None, []
        if verb == "del":
            delattr(rest[0], rest[1])
            return None, []
        if verb == "op":
            return OPERATIONS[rest[0]](*rest[1]), []
        return self._call(*rest)

    def _call(self, target: Any, arguments: list[Any], named: dict[str, Any]) -> tuple[Any, list[Any]]:
        before = [_packed(self.link, item) for item in arguments]
        result = target(*arguments, **named)
        after = [_packed(self.link, item) for item in arguments]
        changed = [
            [place, arguments[place]]
            for place, (old, new) in enumerate(zip(before, after, strict=True))
            if old != new
        ]
        return result, changed

    def _printed(self, before: int) -> str:
        try:
            sys.stdout.flush()
            return os.pread(1, 65536, before).decode(errors="replace")
        except Exception:
            return ""


def _packed(link: Link, value: Any) -> bytes | None:
    if not isinstance(value, _MUTABLE) and not is_array(value):
        return None
    try:
        return link.pack(value)
    except CodecError:
        return None


def _describe(value: Any, own: str) -> str:
    """What the judge may know of an object: its kind and its name; for the library's own things, where they
    are, and for an installed package's, which it is. `own` is the name of the solution's module."""
    if isinstance(value, types.ModuleType):
        return f"module:{value.__name__}"
    name = getattr(value, "__qualname__", None) or type(value).__qualname__
    module = getattr(value, "__module__", None)
    if isinstance(value, types.CoroutineType):
        return f"coroutine:{name}"
    first = str(module).partition(".")[0]
    error = isinstance(value, type) and issubclass(value, BaseException)
    if isinstance(value, (type, types.BuiltinFunctionType)) and first in sys.stdlib_module_names:
        return f"library:{module}:{name}"
    if error and first != own:
        return f"library:{module}:{name}"
    if isinstance(value, type):
        return f"error:{name}" if error else f"class:{name}"
    if callable(value):
        return f"callable:{name}"
    package = str(type(value).__module__).partition(".")[0]
    foreign = package not in sys.stdlib_module_names and package != own
    return f"foreign:{type(value).__module__}:{type(value).__qualname__}" if foreign else f"object:{name}"


def _error_of(text: str) -> type[BaseException]:
    """The class of an exception that something of the tests raised."""
    try:
        found = standard(text)
    except (ImportError, AttributeError):
        return RuntimeError
    return found if isinstance(found, type) and issubclass(found, Exception) else RuntimeError


def serve(code: types.CodeType, module: types.ModuleType) -> NoReturn:
    """Loads the solution and answers the judge over descriptor 3."""
    agent = _Agent(3)
    try:
        exec(code, module.__dict__)
    except BaseException as error:
        report(error)
        finish(1, wait=False)
    agent.serve(module.__dict__)
    finish(0, wait=False)
