"""The command line. Exit codes: 0 done, 1 wrong data or a failed run, 2 wrong pipeline, 130 interrupted."""

from __future__ import annotations

import signal
import sys
import traceback
from types import FrameType
from typing import NoReturn

import typer
from click.exceptions import ClickException
from click.exceptions import Exit as ClickExit

from factory.cli import check as judging
from factory.cli import inspect as looking
from factory.cli import plan as planning
from factory.cli import release as outgoing
from factory.cli import run as running
from factory.cli import selftest as proving
from factory.cli import stage as tools
from factory.core import BudgetSpent, FactoryError

__all__ = ["app", "main"]

_EARLY = 130
"""Exit code of what its user has ended."""

app = typer.Typer(
    name="factory",
    help="One pipeline file in, one trusted reasoning dataset out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for _module in (running, planning, looking, judging, proving, tools, outgoing):
    _module.register(app)


def main() -> None:
    """Runs the command line and exits; an error is one line unless `--debug` is given."""
    signal.signal(signal.SIGTERM, _interrupted)
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        result = app(arguments, standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(_end_early())
    except BudgetSpent as error:
        _report(f"incomplete, budget: {error}", debug=debug)
        sys.exit(error.exit_code)
    except FactoryError as error:
        _report(str(error), debug=debug)
        sys.exit(error.exit_code)
    except ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ClickExit as error:
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:
        _report(
            f"a fault of the factory itself: {type(error).__name__}: {error}; --debug shows where",
            debug=debug,
        )
        sys.exit(1)
    # Typer gives an exit code in place of what a Ctrl-C raises.
    sys.exit(_end_early() if result == _EARLY else result if isinstance(result, int) else 0)


def _end_early() -> int:
    print("interrupted; run again to resume", file=sys.stderr)
    return _EARLY


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _report(text: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
