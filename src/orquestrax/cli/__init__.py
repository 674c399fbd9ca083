"""The command line: `orquestrax …`.

    app        the commands, put together
    options    arguments and flags that several commands share, and their completion
    failing    every failure as one sentence on stderr, and its exit status
    output     JSON, tables and text, on a terminal and in a pipe
    session    the database of a command, named on stderr, and a client for it

    instances, records, messages, definitions, run, database, psql, start, dev, shell, init: a file per group of
    commands
    waiting             `run --wait`, with
    story, live         what has happened to an instance, told while it runs
    supervisor, child   `dev`: one process that watches the files, one that runs their code

Results go to stdout and everything else to stderr, so output can be piped. Exit status: 0 done, 1 failed, 2
misused, 130 after Ctrl-C. What is slow to import is imported by the command that needs it.
"""

from __future__ import annotations

import logging
import sys

__all__ = ["main"]


def main() -> None:
    """The entry point of `orquestrax`."""
    # At Ctrl-C connections are cut in the middle, and asyncio would tell of each; nodes turn it up again.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        from orquestrax.cli.app import app
        from orquestrax.cli.failing import call

        status = call(app, sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
