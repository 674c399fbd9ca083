"""`python -m tests.chaos SCENARIO [--seed S] [--minutes M]`: one run; exit status 1 if a promise was broken."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import Final

from tests.chaos.plan import MIX, SCENARIOS
from tests.chaos.run import chaos, fresh_folder

NAMES: Final = (MIX, *SCENARIOS)


def main() -> int:
    """Run it, keep the report, say how it was."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("scenario", metavar="SCENARIO", help=", ".join(NAMES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--minutes", type=float, default=2.0, help="how long the clients are at it (default: 2)"
    )
    asked = parser.parse_args()
    if asked.scenario not in NAMES:
        print(f"there is no scenario {asked.scenario!r}: choose one of {', '.join(NAMES)}", file=sys.stderr)
        return 2
    folder = fresh_folder()
    logging.basicConfig(filename=folder / "clients.log")  # what clients complain of meanwhile
    report, _evidence = chaos(asked.scenario, asked.seed, asked.minutes, folder)
    report.write()
    for line in report.lines():
        print(line)
    if report.violations:
        print(f"what it was judged by is in {folder}")
    skipped_in_ci = bool(report.skipped and os.environ.get("CI"))
    return int(bool(report.violations) or skipped_in_ci)


if __name__ == "__main__":
    sys.exit(main())
