"""`python -m sandbox serve`: the sandbox behind an HTTP endpoint on loopback.

Requests must bring the token in `SANDBOX_TOKEN`, or the one that is printed at the start.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence

from sandbox.driver import Sandbox
from sandbox.model import SandboxError
from sandbox.serve import Caps, run

__all__ = ["main"]

_TOKEN = "SANDBOX_TOKEN"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="answer POST /run_code until interrupted")
    serve.add_argument("--port", type=int, default=8080)
    serve.add_argument("--slots", type=int, default=2, help="runs that may go on at once")
    serve.add_argument("--max-seconds", type=float, default=60.0, help="most that a run may ask for")
    serve.add_argument("--max-memory-mb", type=int, default=4096, help="most that a run may ask for")
    serve.add_argument("--no-token", action="store_true", help="answer every process of this machine")
    serve.add_argument("--min-isolation", choices=["namespaces", "landlock"], default="landlock")
    options = parser.parse_args(arguments)
    own = os.environ.pop(_TOKEN, "")
    token = None if options.no_token else own or secrets.token_urlsafe(24)
    if token is not None and not own:
        print(f"token: {token}", file=sys.stderr, flush=True)
    try:
        with Sandbox(slots=options.slots, min_isolation=options.min_isolation) as box:
            run(box, port=options.port, token=token, caps=Caps(options.max_seconds, options.max_memory_mb))
    except (SandboxError, OSError, OverflowError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
