"""How the verdicts on one completion come to one, and when the rest need not be asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from verifiers import Verdict
from verifiers.judge.verifier import rescued

__all__ = ["Rule", "Ruling", "combined"]

Rule = Literal["all", "any", "first"]


def combined(said: Sequence[Verdict], *, rule: Rule) -> str | None:
    """One verdict out of several; null where nobody judged."""
    verdicts = [v.verdict for v in said]
    unknown = next((v for v in verdicts if v in ("error", "timeout")), None)
    if not verdicts:
        return None
    if rule == "first":
        return next((v for v in verdicts if v in ("pass", "fail")), unknown)
    decisive, other = ("fail", "pass") if rule == "all" else ("pass", "fail")
    return decisive if decisive in verdicts else unknown or other


class Ruling:
    """The verdicts on one completion as they come in.

    A verifier that may turn others is asked only after one of them did not pass, and only its pass counts:
    it takes the place of what it turned, and says so. A pass is never taken away.

    A check of the form vetoes: its fail is the verdict whatever the rule, and its pass does not say that the
    completion is right, so that one which nobody else judged stays without a verdict.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.said: list[Verdict] = []
        """Every verdict, in the order in which they were given."""
        self._counting: list[Verdict] = []
        self._vetoes: list[Verdict] = []

    @property
    def verdict(self) -> str | None:
        """The verdict in all, so far; null while nothing but forms was judged, and no form failed."""
        veto = combined(self._vetoes, rule="all")
        found = combined(self._counting, rule=self._rule)
        return veto if veto == "fail" or (veto and found == "pass") else found

    def wants(
        self, *, turns: Collection[str], later: Collection[str], spare: bool, vetoes: bool = False
    ) -> bool:
        """Whether another verifier is asked.

        Args:
            turns: names of the verifiers that it may turn.
            later: names of those that one after it may turn.
            spare: whether a verifier is spared what cannot change the verdict.
            vetoes: whether it is a check of the form, which can undo a pass but not a fail.
        """
        if spare and any(v.verdict == "fail" for v in self._vetoes):
            return False
        given = [v for v in self._counting if v.verifier in turns]
        if given:
            return any(v.verdict != "pass" for v in given) and not (spare and self._turning_is_vain(turns))
        if not spare:
            return True
        firm = [v.verdict for v in self._counting if v.verdict == "pass" or v.verifier not in later]
        decisive = {"all": ("fail",), "any": ("pass",), "first": ("pass", "fail")}[self._rule]
        if vetoes:
            decisive = ("fail",) if self._rule == "all" else ()
        return not any(v in decisive for v in firm)

    def veto(self, verdict: Verdict) -> None:
        """Takes in what a check of the form says; only what is no pass counts."""
        self.said.append(verdict)
        if verdict.verdict != "pass":
            self._vetoes.append(verdict)

    def add(self, verdict: Verdict, *, turns: Collection[str]) -> bool:
        """Takes a verdict in; whether it turned an earlier one."""
        turned = [v for v in self._counting if v.verifier in turns and v.verdict != "pass"]
        given = any(v.verifier in turns for v in self._counting)
        if turned and verdict.verdict == "pass":
            verdict = rescued(turned[0], verdict)
            self._counting = self._with(verdict, turns)
        elif not given:
            self._counting.append(verdict)
        self.said.append(verdict)
        return bool(turned) and verdict.verdict == "pass"

    def _turning_is_vain(self, turns: Collection[str]) -> bool:
        turned = self._with(Verdict("judge", "", "pass"), turns)
        return combined(turned, rule=self._rule) == self.verdict

    def _with(self, verdict: Verdict, turns: Collection[str]) -> list[Verdict]:
        """What counts once the verdict stands where the first one that it turns stood."""
        counting: list[Verdict] = []
        for one in self._counting:
            if one.verifier not in turns or one.verdict == "pass":
                counting.append(one)
            elif verdict not in counting:
                counting.append(verdict)
        return counting
