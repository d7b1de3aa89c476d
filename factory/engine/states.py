"""How far one step is, as its folder proves it, and what of it has to be made again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from factory.core import DamagedFile, GlobalStage
from factory.engine.proofs import (
    Receipts,
    decision_receipt,
    digest_of,
    holds,
    intact,
    receipts,
    survey_receipts,
)
from factory.engine.steps import Step
from factory.engine.worker import Phase
from factory.storage.folders import remove

__all__ = ["StepState"]


@dataclass
class StepState:
    """One step's progress. Sets and keys are shard numbers."""

    step: Step
    manifest: dict[str, Any] | None = None
    proofs: Receipts = field(default_factory=dict)
    """What is done: receipts, or what a manifest keeps of them."""
    surveys: Receipts = field(default_factory=dict)
    decision: dict[str, Any] | None = None
    flying: set[tuple[Phase, int]] = field(default_factory=set)
    receipts: Receipts = field(default_factory=dict)
    """Receipts written in this run."""
    reused: bool = False
    """Whether an earlier run sealed it and nothing of it is damaged."""

    @property
    def done(self) -> Set[int]:
        """Shards that are done."""
        return self.proofs.keys()

    @property
    def working(self) -> bool:
        """Whether anything of it is done or under way."""
        return bool(self.flying or self.proofs or self.surveys)

    @property
    def is_global(self) -> bool:
        """Whether it decides over all shards."""
        return isinstance(self.step.stage, GlobalStage)

    def complete(self, shards: int) -> bool:
        """Whether it can be sealed."""
        return len(self.proofs) >= shards and (self.decision is not None or not self.is_global)

    def kept(self) -> dict[int, str]:
        """SHA-256 of the kept rows of every shard that is done."""
        return {shard: str(proof["kept"]["sha256"]) for shard, proof in self.proofs.items()}

    def load(self, given: Mapping[int, str] | None, shards: int) -> set[int]:
        """Takes from the folder what is whole and follows from the step before; gives what is damaged.

        `given` is the SHA-256 of what the step before keeps, as far as it is done; null for a source. No rows
        are read here: whoever reads them compares them with their digest.
        """
        damaged: set[int] = set()
        if self.manifest:
            self.proofs = {int(entry["shard"]): entry for entry in self.manifest["files"]}
            damaged = self._doubtful(given) | self.proofs.keys() - set(self.step.files.receipts_done())
            self.reused = not damaged and len(self.proofs) == shards
            if self.reused:
                return damaged
            remove(self.step.files.manifest_url)
            self.manifest = None
        self.proofs, torn = receipts(self.step)
        damaged.update(torn)
        if self.is_global:
            damaged |= self._load_decision(given, shards)
        return damaged | self._drop(self._doubtful(given))

    def reopen(self, given: Mapping[int, str] | None, shards: int) -> None:
        """Has what is not proven done again, and the manifest written anew."""
        remove(self.step.files.manifest_url)
        self.manifest, self.reused = None, False
        self.load(given, shards)

    def follow(self, shard: int, digest: str, shards: int) -> None:
        """Takes back what was made of other rows than those that the step before now keeps of a shard."""
        for known in (self.proofs, self.surveys):
            if shard in known and known[shard].get("input") != digest:
                if self.manifest:
                    self.reopen({shard: digest}, shards)
                known.pop(shard, None)

    def survey(self, receipt: dict[str, Any], shards: int) -> None:
        """Takes a shard's survey, and a decision over another one back."""
        self.surveys[int(receipt["shard"])] = receipt
        self._match_decision(shards)

    def decide(self, receipt: dict[str, Any]) -> None:
        """Takes the decision, and back what was settled by another one."""
        self.decision = receipt
        self._drop(self._settled_otherwise())

    def distrust(self, known: Collection[int], given: Mapping[int, str] | None, shards: int) -> set[int]:
        """Reads shards, surveys and decision again; drops what is not as it was written, and gives it."""
        whole, _ = receipts(self.step)
        bad = {s for s in known if s in self.proofs and not self._intact(s, whole.get(s))}
        for shard in bad:
            remove(self.step.files.receipt_url(shard))
        if bad and self.manifest:
            self.reopen(given, shards)
        self._drop(bad)
        return bad | self._distrust_decision()

    def _distrust_decision(self) -> set[int]:
        if not self.is_global:
            return set()
        whole, _ = survey_receipts(self.step)
        bad = {
            shard
            for shard, known in self.surveys.items()
            if whole.get(shard) != known or not holds(self.step.files.survey_url(shard), known)
        }
        for shard in bad:
            del self.surveys[shard]
        if self.decision and not self._decision_holds(self.decision):
            self.decision = None
            bad.add(0)
        return bad

    def _decision_holds(self, known: Mapping[str, Any]) -> bool:
        try:
            return decision_receipt(self.step) == known and holds(self.step.files.decision_url, known)
        except DamagedFile:
            return False

    def _intact(self, shard: int, found: Mapping[str, Any] | None) -> bool:
        known = self.proofs[shard]
        return (
            found is not None
            and all(found.get(key) == value for key, value in known.items())
            and intact(self.step.files, found)
        )

    def _load_decision(self, given: Mapping[int, str] | None, shards: int) -> set[int]:
        self.surveys, torn = survey_receipts(self.step)
        bad = self._gone("surveys", self.surveys) | _unlike(self.surveys, given)
        for shard in bad:
            del self.surveys[shard]
        try:
            self.decision = decision_receipt(self.step)
        except DamagedFile:
            self.decision = None
            bad.update([0] if self.proofs else [])
        self._match_decision(shards)
        return bad.union(torn)

    def _match_decision(self, shards: int) -> None:
        if self.decision is None or len(self.surveys) < shards:
            return
        digests = digest_of(str(self.surveys[shard]["sha256"]) for shard in range(shards))
        if self.decision["surveys"] != digests:
            self.decision = None

    def _doubtful(self, given: Mapping[int, str] | None) -> set[int]:
        """Shards whose files are gone, or that were made from something else than what is there."""
        gone = self._gone("shards", self.proofs) | self._gone("rejected", self.proofs)
        for name in self.step.stage.side_tables():
            gone |= self._gone(f"side_tables/{name}", self.proofs)
        return gone | _unlike(self.proofs, given) | self._settled_otherwise()

    def _gone(self, below: str, known: Receipts) -> set[int]:
        return known.keys() - set(self.step.files.shards_in(below)) if known else set()

    def _settled_otherwise(self) -> set[int]:
        if self.decision is None:
            return set()
        return {s for s, r in self.proofs.items() if r.get("decision") != self.decision["sha256"]}

    def _drop(self, shards: Iterable[int]) -> set[int]:
        dropped = set(shards)
        for shard in dropped:
            self.proofs.pop(shard, None)
            self.receipts.pop(shard, None)
        return dropped


def _unlike(known: Receipts, given: Mapping[int, str] | None) -> set[int]:
    """Shards made from other rows than those given; one that is being made again is judged when it is."""
    if given is None:
        return set()
    return {s for s, r in known.items() if s in given and r.get("input") != given[s]}
