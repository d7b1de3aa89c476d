"""What a model answered, kept by the content of the question: the same question is not paid for twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa

from factory.core import FactoryError, TeacherError, WorkspaceError, storable
from factory.storage.content_cache import KEY_BYTES, KeyedRows, key_array

__all__ = ["Form", "Memory", "Remembering", "remembering"]

Q = TypeVar("Q")
A = TypeVar("A")


class Memory:
    """Answers as text under 16-byte keys: on the disk itself before anyone acts on them."""

    def __init__(self, url: str) -> None:
        """`url` is a local folder or fsspec URL that any number of workers may share."""
        self._url = url
        self._rows = KeyedRows(url)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, str]:
        """The answers that are known, by key."""
        wanted = list(dict.fromkeys(keys))
        found, rows = self._rows.find(key_array(wanted))
        if rows is None:
            return {}
        return dict(zip(np.array(wanted, object)[found], rows["answer"].to_pylist(), strict=True))

    def add(self, answers: Mapping[bytes, str]) -> None:
        """Keeps answers. Raises WorkspaceError when they cannot be written: they were paid for."""
        try:
            self._rows.add(key_array(list(answers)), pa.table({"answer": storable(list(answers.values()))}))
        except WorkspaceError as error:
            raise WorkspaceError(
                f"{len(answers)} answers of a model were paid for and cannot be kept; the run stops before "
                f"it pays for more: {error}"
            ) from error


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
        fence: Callable[[], None],
        stack: ExitStack,
    ) -> None:
        self._fence = fence
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
            blake2b(self._form.key(q).encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()
            for q in questions
        ]
        kept = {} if anew else self._memory.find(keys)
        answers = {key: self._form.load(text) for key, text in kept.items()}
        missing = {key: q for key, q in zip(keys, questions, strict=True) if key not in kept}
        if missing:
            self._fence()
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
    fence: Callable[[], None],
) -> Iterator[Remembering[Any, Any]]:
    """A model behind the answers that are kept at `url`; closed with the context if it was opened.

    `fence` raises before the model is asked what is another run's to ask.
    """
    with ExitStack() as stack:
        yield Remembering(Memory(url), form, model=model, fence=fence, stack=stack)
