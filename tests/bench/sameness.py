"""Whether dedup and decontamination can be trusted, over the data in FACTORY_TEST_DATA.

`python tests/bench/sameness.py [--only dedup|decontamination]`; pairs that were judged wrongly go to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import sys

# Beside this file lies a `sandbox.py`, which is not the package of that name.
sys.path.append(sys.path.pop(0))

from _report import finish

PARTS = ("dedup", "decontamination")


def main() -> None:
    """Runs both parts, or the one that --only names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS)
    chosen = parser.parse_args().only
    for part in PARTS:
        if chosen in (None, part):
            importlib.import_module(f"_sameness_{part}").run()
    finish()


if __name__ == "__main__":
    main()
