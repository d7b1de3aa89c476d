"""What all stages that ask a teacher have in common: the fields that decide a text, and the way to a draw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from factory.core import Role, Site, Stage, digest
from factory.storage.lease import fence
from factory.teachers import AnyTeacher, Journal, Sampler, Sampling, Teacher
from factory.teachers.journal_progress import JournalWatch, journal_means
from factory.teachers.writers import sole_run

__all__ = ["Drawing", "Structure"]


class Structure(BaseModel):
    """The form that a completion must have; the teacher's decoder allows no other."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    json_schema: Mapping[str, Any] | None = None
    """JSON Schema of the whole completion."""
    regex: str | None = None
    """Regular expression of the whole completion."""
    choice: tuple[str, ...] | None = None
    """Texts of which the completion is one."""

    @model_validator(mode="after")
    def _one_form(self) -> Structure:
        if len(self.plain()) != 1:
            raise ValueError("wanted one of json_schema, regex and choice")
        return self

    def plain(self) -> dict[str, Any]:
        """The form that is set, as JSON values."""
        choice = None if self.choice is None else list(self.choice)
        forms = {"json_schema": self.json_schema, "regex": self.regex, "choice": choice}
        return {name: value for name, value in forms.items() if value is not None}


class Drawing(Stage):
    """A stage that draws completions; each is in the journal the moment it is finished."""

    # A straggler holds back its own shard alone: the others keep the teacher's places filled.
    concurrency: ClassVar[int] = 8
    role: ClassVar[Role] = "teacher"

    teacher: AnyTeacher
    """Who answers."""
    system: str | None = None
    """System turn that the teacher sees, in place of the prompt's own; null: the prompt as it is."""
    temperature: Annotated[float, Field(ge=0, le=5)] = 0.6
    """0 takes the likeliest token every time; above 2, the limit of most endpoints, texts are noise."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Share of probability that the likeliest tokens must hold together to be drawn from."""
    top_k: Annotated[int, Field(ge=0)] = 0
    """Tokens drawn from, the likeliest ones; 0: all."""
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Least probability of a token, as a share of the likeliest one's."""
    max_tokens: Annotated[int, Field(ge=1)] | None = 4096
    """Tokens of one completion; null: until the teacher's context is full."""
    stop: tuple[str, ...] = ()
    """Texts that end a completion and are left out of it."""
    structure: Structure | None = None
    """Form that the completion must have; null: any."""
    seed: int | None = None
    """Seed from which each request's own is made; null: the pipeline's."""

    def identity(self) -> dict[str, Any]:
        """The fields, with the teacher's identity in place of where it is found."""
        fields = self.model_dump(mode="json", exclude={"name", "teacher"})
        return {**fields, "teacher": {**self.teacher.identity(), "name": self.teacher.name}}

    def draw_identity(self) -> str:
        """64 hex digits over all that decides a text: not how many, nothing stored beside it, no upstream."""
        return digest(self.draw_fields())

    def draw_fields(self) -> dict[str, Any]:
        """What `draw_identity` is made of, as JSON values."""
        return {
            "teacher": self.teacher.identity(),
            "system": self.system,
            "sampling": self.sampling().identity(),
            "seed": self.seed,
            "version": self.version,
        }

    def answering(self) -> Teacher:
        """Who is opened: the teacher, with what it works with."""
        return self.teacher

    def sampling(self) -> Sampling:
        """The fields as a teacher takes them."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            top_k=self.top_k,
            min_p=self.min_p,
            max_tokens=self.max_tokens,
            stop=self.stop,
            structure=None if self.structure is None else self.structure.plain(),
        )

    def completions(self, rows: int) -> int:
        """Most completions that so many rows want."""
        return rows

    def cost(self, rows: int) -> dict[str, int]:
        """Every completion at its longest; fewer where the journal has some already."""
        wanted = self.completions(rows)
        return {"completions": wanted, "completion_tokens": wanted * (self.max_tokens or 0)}

    def estimate(self, rows: int, *, site: Site, per_row: float | None = None) -> dict[str, float]:
        """What the rows will likely cost, by the means of the journal; empty where it holds none."""
        known = journal_means(self.journal_url(site))
        if known is None:
            return {}
        wanted = self.completions(rows) if per_row is None else round(rows * per_row)
        missing = max(0, wanted - known.completions)
        found: dict[str, float] = {
            "completions": missing,
            "prompt_tokens": round(missing * known.prompt_tokens),
            "completion_tokens": round(missing * known.completion_tokens),
        }
        if known.tokens_per_s:
            found["seconds"] = round(found["completion_tokens"] / known.tokens_per_s)
        price = site.resources.price
        if price is not None:
            micro = price.micro_dollars(found["prompt_tokens"], found["completion_tokens"])
            found["dollars"] = round(micro / 1e6, 4)
        return found

    def lacks(self, site: Site) -> str | None:
        """What the teacher lacks; nothing where the journal has answers, which may be all that is wanted."""
        missing = self.answering().lacks(site.resources)
        return missing if missing and journal_means(self.journal_url(site)) is None else None

    def watch(self, site: Site) -> Callable[[], Mapping[str, int]]:
        """Counts the completions that come into the journal."""
        return JournalWatch(self.journal_url(site))

    def journal_url(self, site: Site) -> str:
        """Folder of the completions of this draw identity."""
        return f"{site.journal_url.rstrip('/')}/{self.draw_identity()[:32]}"

    @contextmanager
    def sampler(self, site: Site) -> Iterator[Sampler]:
        """Opens the journal; the teacher is loaded when the first completion is missing."""
        with (
            sole_run(site.journal_url, site.run_id),
            Journal(self.journal_url(site), about=self.draw_fields()) as journal,
            Sampler(
                self.answering(), resources=site.resources, journal=journal, fence=fence(site)
            ) as sampler,
        ):
            yield sampler
