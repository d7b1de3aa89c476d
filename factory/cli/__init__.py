"""The command line. Exit codes: 0 done, 1 wrong data or a failed run, 2 wrong pipeline or words, 130 stop."""

from __future__ import annotations

import signal
import sys
import traceback
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import Exit, TyperException

from factory.cli import check, clean, init, inspect, plan, release, run, selftest, stage
from factory.core import BudgetSpent, FactoryError
from factory.version import __version__

__all__ = ["app", "main"]

_EARLY = 130
"""Exit code of what its user has ended."""

app = typer.Typer(
    name="factory",
    help="One pipeline file in, one trusted reasoning dataset out.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _front(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """One pipeline file in, one trusted reasoning dataset out."""
    if version:
        print(f"factory {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())


for _module in (init, run, plan, inspect, check, selftest, stage, release, clean):
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
    except TyperException as error:
        _report(_usage(error), debug=debug)
        sys.exit(2)
    except Exit as error:
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


def _usage(error: TyperException) -> str:
    """What is wrong with the words of a command, and where they are explained."""
    context: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return f"{context.command_path}: wanted a verb: {', '.join(context.command.commands)}"
    path = context.command_path if context else "factory"
    message = error.format_message().rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; `{path} --help` lists what there is"


def _report(text: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(f"error: {' '.join(text.split())}", file=sys.stderr)
