"""What a model answered, kept by the content of the question: the same question is not paid for twice."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from factory.core import FactoryError, TeacherError

__all__ = ["Form", "Memory", "Remembering", "remembering"]

Q = TypeVar("Q")
A = TypeVar("A")
_KEY_BYTES = 16


class Memory:
    """Answers as text under 16-byte keys, in Parquet files that are only ever added.

    Each file is complete from its first moment under a name of its own, so any number of workers may share a
    folder. In memory stay the keys alone.
    """

    def __init__(self, url: str) -> None:
        """`url` is a local folder or fsspec URL; what other workers add later is not seen."""
        self._fs, self._root = fsspec.core.url_to_fs(url.rstrip("/"))
        self._keys: dict[str, npt.NDArray[np.bytes_]] = {}
        if self._fs.exists(self._root):
            for path in sorted(self._fs.glob(f"{self._root}/*.parquet")):
                with self._fs.open(path, "rb") as file:
                    self._keys[path] = _array(pq.read_table(file, columns=["key"])["key"].to_pylist())

    def find(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """The answers that are known, by key."""
        found: dict[bytes, str] = {}
        wanted = _array(list(dict.fromkeys(keys)))
        for path, stored in self._keys.items():
            if not wanted.size:
                break
            hit = np.isin(wanted, stored)
            if hit.any():
                asked = {key.ljust(_KEY_BYTES, b"\0") for key in wanted[hit].tolist()}
                with self._fs.open(path, "rb") as file:
                    rows = pq.read_table(file).to_pylist()
                found |= {row["key"]: row["answer"] for row in rows if row["key"] in asked}
                wanted = wanted[~hit]
        return found

    def add(self, answers: Mapping[bytes, str]) -> None:
        """Keeps answers: written aside, then renamed. A folder that cannot be written is no error."""
        if not answers:
            return
        table = pa.table(
            {
                "key": pa.array(list(answers), pa.binary(_KEY_BYTES)),
                "answer": pa.array(list(answers.values()), pa.string()),
            }
        )
        name = uuid.uuid4().hex
        aside, path = f"{self._root}/.{name}.part", f"{self._root}/{name}.parquet"
        try:
            self._fs.makedirs(self._root, exist_ok=True)
            with self._fs.open(aside, "wb") as file:
                pq.write_table(table, file, compression="zstd")
            self._fs.mv(aside, path)
        except OSError:
            return
        self._keys[path] = _array(list(answers))


def _array(keys: Sequence[bytes]) -> npt.NDArray[np.bytes_]:
    return np.array(keys, dtype=f"S{_KEY_BYTES}")


@dataclass(frozen=True, slots=True)
class Form(Generic[Q, A]):
    """How a model's questions and answers are written down."""

    key: Callable[[Q], str]
    dump: Callable[[A], str | None]
    """Null for an answer that is none and must not be kept: the question may be answered another time."""
    load: Callable[[str], A]


class Remembering(Generic[Q, A]):
    """Asks a model what no earlier run has asked it; the model is opened at the first such question."""

    def __init__(
        self,
        memory: Memory,
        form: Form[Q, A],
        *,
        model: Callable[[], AbstractContextManager[Callable[[Sequence[Q]], Sequence[A]]]],
        stack: ExitStack,
    ) -> None:
        self._memory, self._form, self._model, self._stack = memory, form, model, stack
        self._live: Callable[[Sequence[Q]], Sequence[A]] | None = None
        self.asked = 0
        """Questions put to the model since this was last set to 0."""
        self.remembered = 0
        """Questions answered without it since this was last set to 0."""
        self.failure: Exception | None = None
        """What broke last; a verifier swallows it, so the caller must look."""

    def __call__(self, questions: Sequence[Q], *, anew: bool = False) -> list[A]:
        """Answers in order; `anew` asks the model even what is known."""
        try:
            return self._answers(questions, anew=anew)
        except Exception as error:
            self.failure = error
            raise

    def raise_failure(self) -> None:
        """Raises what broke since the last look: a machine that fails is not a verdict."""
        error, self.failure = self.failure, None
        if error is None:
            return
        if isinstance(error, FactoryError):
            raise error
        raise TeacherError(f"the model failed: {type(error).__name__}: {error}"[:500]) from error

    def _answers(self, questions: Sequence[Q], *, anew: bool) -> list[A]:
        keys = [
            blake2b(self._form.key(q).encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()
            for q in questions
        ]
        kept = {} if anew else self._memory.find(keys)
        answers = {key: self._form.load(text) for key, text in kept.items()}
        missing = {key: q for key, q in zip(keys, questions, strict=True) if key not in kept}
        if missing:
            made = dict(zip(missing, self._opened()(list(missing.values())), strict=True))
            texts = {key: self._form.dump(answer) for key, answer in made.items()}
            self._memory.add({key: text for key, text in texts.items() if text is not None})
            answers |= made
        self.asked += len(missing)
        self.remembered += len(set(keys)) - len(missing)
        return [answers[key] for key in keys]

    def _opened(self) -> Callable[[Sequence[Q]], Sequence[A]]:
        if self._live is None:
            self._live = self._stack.enter_context(self._model())
        return self._live


@contextmanager
def remembering(
    url: str,
    form: Form[Any, Any],
    *,
    model: Callable[[], AbstractContextManager[Callable[[Sequence[Any]], Sequence[Any]]]],
) -> Iterator[Remembering[Any, Any]]:
    """A model behind the answers that are kept at `url`; closed with the context if it was opened."""
    with ExitStack() as stack:
        yield Remembering(Memory(url), form, model=model, stack=stack)
