"""`python -m eznas`: the command line."""

from eznas.cli import main

if __name__ == "__main__":
    main()
