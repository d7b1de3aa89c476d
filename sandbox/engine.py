"""The slots of one sandbox, the directory they share, and the one way to have something run in them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.model import Limits, Result, SandboxError, Tier
from sandbox.pool import Pool
from sandbox.shared import SharedDirectory
from sandbox.slot import Broken, Frame, Slot, TierUnavailable
from sandbox.slot_dir import Interpreter, Place, copy_stdlib, readable_by_others
from sandbox.tiers import ORDER

__all__ = ["Engine"]


class Engine:
    """Slots of the strongest tier of `wanted` that works here.

    Raises:
        SandboxError: none works; the message has each tier's system call, errno and cure.
    """

    def __init__(
        self,
        *,
        slots: int,
        wanted: Sequence[Tier],
        limits: Limits,
        interpreter: Interpreter,
        site_dirs: Sequence[str],
        preload: Sequence[str],
        tool_roots: Sequence[str],
    ):
        self._limits = limits
        self._interpreter = interpreter
        self._site_dirs = list(site_dirs)
        self._preload = list(preload)
        self._tool_roots = list(tool_roots)
        self._directory = SharedDirectory()
        self.shared = self._directory.path
        self._pid = os.getpid()
        try:
            self.tier, first = self._first_slot(wanted)
            self.pool = Pool([first, *[self._slot(self.tier, number) for number in range(1, slots)]])
        except BaseException:
            self._directory.remove()
            raise

    @property
    def headers(self) -> str:
        """The directory of precompiled headers, which every slot can read."""
        return f"{self.shared}/headers"

    def close(self) -> None:
        """Waits for the runs under way, ends every process and removes the directory."""
        self.pool.close()
        self._directory.remove()

    def abandon(self) -> None:
        """As `close`, at once, for a sandbox that nobody closed; a process forked from its maker does not."""
        if os.getpid() != self._pid or self.pool.closed:
            return
        self.pool.closed = True
        for slot in self.pool.slots:
            slot.close()
        self._directory.remove()

    def request(
        self,
        head: dict[str, Any],
        blobs: list[bytes],
        *,
        limits: Limits,
        tests: int,
        alone: bool = False,
        hidden: bytes | None = None,
        programs: Sequence[bytes] = (),
        each: Callable[[Frame], bool] | None = None,
    ) -> list[Frame] | Result:
        """Runs one request on a slot, a second time if the sandbox itself failed.

        Returns the frames of the tests, or a result that has none: CE, or INFRA.
        """
        wire = limits.wire()
        compile_s = max(3 * limits.compile_cpu_s, limits.compile_cpu_s + 2)
        deadline_s = compile_s + tests * (limits.effective_wall_s() * 4 + 1) + 10
        failure = ""
        for _ in range(2):
            with self.pool.alone() if alone else self.pool.one() as slot, contextlib.suppress(Broken):
                try:
                    record, reply = slot.request(
                        {**head, "limits": wire},
                        blobs,
                        deadline_s=deadline_s,
                        hidden=hidden,
                        programs=programs,
                        each=each,
                    )
                except Broken as error:
                    failure = str(error)
                    raise
                outcome = _outcome(record, reply)
                if not isinstance(outcome, str):
                    return outcome
                failure = f"{outcome} {slot.written()}"
        return Result("INFRA", reason=failure[:1000])

    def _first_slot(self, wanted: Sequence[Tier]) -> tuple[Tier, Slot]:
        refusals = []
        for tier in wanted:
            slot = self._slot(tier, 0)
            try:
                slot.start()
                return tier, slot
            except TierUnavailable as error:
                slot.close()
                refusals.append(str(error))
            except BaseException as error:
                slot.close()
                if isinstance(error, Broken):
                    raise SandboxError(str(error)) from error
                raise
        weaker = [tier for tier in ORDER if tier not in wanted]
        hint = f" Not tried: {', '.join(weaker)}." if weaker else ""
        raise SandboxError("\n".join(refusals) + hint)

    def _slot(self, tier: Tier, number: int) -> Slot:
        place = Place(
            tier, number, self._interpreter, self._site_dirs, self.shared, tool_roots=self._tool_roots
        )
        copied = None
        if tier != "namespaces" and os.geteuid() == 0 and not readable_by_others(self._interpreter.stdlib):
            copied = f"{self.shared}/python"
            if not os.path.isdir(copied):
                copy_stdlib(self._interpreter, copied)
        place.prepare(copied_stdlib=copied)
        return Slot(place, limits=self._limits, preload=self._preload)


def _outcome(record: list[Frame], reply: dict[str, Any]) -> list[Frame] | Result | str:
    """The frames of the tests; or a result without tests; or, as text, what failed in the sandbox."""
    phases = [head["phase"] for head, _ in record if "phase" in head]
    rejected = [head["reason"] for head, _ in record if head.get("phase") == "rejected"]
    if rejected:
        return Result("CE", reason=rejected[0])
    done = any(head.get("done") for head, _ in record)
    if not done and phases[-1:] == ["compile"] and (reply["signal"] or reply["late"]):
        return Result("CE", reason=f"the compiler was killed by signal {reply['signal']}")
    if not done:
        return f"the supervisor ended early: {reply}."
    return [frame for frame in record if "phase" not in frame[0] and "done" not in frame[0]]
