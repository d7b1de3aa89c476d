"""Prints what a test run skipped and why; exits 1 when something was skipped that can run here.

python .ci/skipped.py build/tests/*.xml
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

# Reasons that name a thing which a machine may truly lack. Any other reason is a hole in the check.
ALLOWED = re.compile(
    r"^(no tool for|no GPU|no Docker engine|no Java|no compiler|not a Linux kernel)\b", re.IGNORECASE
)


def main(results: list[Path]) -> int:
    """Reads JUnit results as pytest writes them, one file for each phase."""
    cases = [case for file in results for case in ElementTree.parse(file).iter("testcase")]
    skipped = [
        (f"{case.get('classname')}::{case.get('name')}", (node.get("message") or "").strip())
        for case in cases
        for node in case.iter("skipped")
    ]
    if not cases:
        print("ci: no test ran")
        return 1
    print(f"ci: {len(cases)} tests, {len(skipped)} skipped")
    holes = 0
    for test, reason in skipped:
        allowed = bool(ALLOWED.match(reason))
        holes += not allowed
        print(f"ci: skipped {test}: {reason}{'' if allowed else '  <- can run here'}")
    if holes:
        print(f"ci: {holes} skipped without a reason that this machine cannot help")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
