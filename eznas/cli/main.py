"""The entry point: bad input is one line on the error stream and exit code 2."""

import errno
import os
import re
import sys

import typer

from eznas.cli.app import app, err, notes
from eznas.errors import InputError, one_line
from eznas.system.machine import keep_pages

_FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk that takes no more
INTERRUPTED = 130  # the exit code for Ctrl-C
_NEGATIVE = re.compile(r"-\s*(?:[\d.]+(?:[eE][+-]?\d+)?\s*[-+*/]|\(|\w+\()")


def main() -> None:
    """Run the command line; bad input is one line on the error stream and exit code 2."""
    notes.clear()
    keep_pages()  # it changes the whole process, which here is ours
    try:
        # A blank before a formula that begins with a minus keeps it from being read as an option.
        arguments = [f" {a}" if _NEGATIVE.match(a) else a for a in sys.argv[1:]]
        code = app(arguments, standalone_mode=False, prog_name="eznas")
    except InputError as error:
        _complain(str(error))
        sys.exit(2)
    except (typer.Exit, SystemExit) as ending:
        sys.exit(getattr(ending, "exit_code", getattr(ending, "code", 0)))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _complain(f"{error.filename or 'output'}: cannot write: {error.strerror}")
        os._exit(2)  # an orderly end would try again to write what was refused
    except Exception as error:
        if hasattr(error, "format_message"):  # wrong usage, which typer's parser found
            _complain(error.format_message())
            sys.exit(2)
        raise
    if code == INTERRUPTED:  # which typer returns where it caught the interrupt itself
        err.print("eznas: interrupted")
    if code:
        sys.exit(code)


def _complain(problem: str) -> None:
    """Print one line, however wide; nothing for an empty text (typer has shown its help then)."""
    if text := one_line(" ".join(problem.split())):
        err.print(f"eznas: {text}", markup=False, highlight=False, soft_wrap=True)
