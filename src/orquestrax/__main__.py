"""`python -m orquestrax` is `orquestrax`."""

from orquestrax.cli import main

main()
