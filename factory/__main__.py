"""`python -m factory` is the command line."""

from factory.cli import main

main()
