"""`python -m sandbox serve`: the sandbox behind an HTTP endpoint on loopback."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from sandbox.driver import Sandbox
from sandbox.model import SandboxError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="answer POST /run_code until interrupted")
    serve.add_argument("--port", type=int, default=8080)
    serve.add_argument("--slots", type=int, default=2, help="runs that may go on at once")
    serve.add_argument("--min-isolation", choices=["namespaces", "landlock"], default="landlock")
    options = parser.parse_args(arguments)
    from sandbox.serve import run  # the web framework is wanted for this command only

    try:
        with Sandbox(slots=options.slots, min_isolation=options.min_isolation) as box:
            run(box, port=options.port)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
