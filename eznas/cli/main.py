"""The way in: bad input is one line and exit code 2."""

import re
import sys

import typer

from eznas.cli.app import app, err
from eznas.errors import InputError, one_line
from eznas.system.machine import keep_pages

INTERRUPTED = 130  # the exit code for Ctrl-C
_NEGATIVE = re.compile(r"-\s*(?:[\d.]+(?:[eE][+-]?\d+)?\s*[-+*/]|\(|\w+\()")


def main() -> None:
    """Run the command line; bad input is one line on the error stream and exit code 2."""
    keep_pages()  # of this process, which is the command's own
    try:
        # A blank before a formula that begins with a minus tells the parser that it is no option.
        arguments = [f" {a}" if _NEGATIVE.match(a) else a for a in sys.argv[1:]]
        code = app(arguments, standalone_mode=False)
    except InputError as error:
        _complain(str(error))
        sys.exit(2)
    except (typer.Exit, SystemExit) as done:
        sys.exit(getattr(done, "exit_code", getattr(done, "code", 0)))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message"):  # usage: what typer's parser complains of
            _complain(error.format_message())
            sys.exit(2)
        raise
    if code == INTERRUPTED:  # which typer returns where it caught the interrupt itself
        err.print("eznas: interrupted")
    if code:
        sys.exit(code)


def _complain(problem: str) -> None:
    """One line, however wide; none where typer has said it all (help for want of a command)."""
    if text := one_line(" ".join(problem.split())):
        err.print(f"eznas: {text}", markup=False, highlight=False, soft_wrap=True)
