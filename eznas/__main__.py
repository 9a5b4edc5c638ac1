"""`python -m eznas`: the command line."""

from eznas.cli import main

main()
