"""Reads the source of workflows for what cannot be deterministic or durable.

    reach        the workflow's function and what it calls in users' own modules
    walk         one function: its calls, loops and assignments
    rules        what is reported, and what to use instead
    references   what the names in a function stand for, with aliases resolved
    inference    what expressions make: sets, paths, tasks
    sources      a function's syntax tree, and the lines with `# ox: allow`
    findings     one report

Findings are warnings and never block: they are shown when a node registers its definitions. A line with the comment
`# ox: allow` is not reported; on the `def` or a decorator of a workflow the comment allows all of it. Where a name's
meaning is not certain nothing is reported.

Failure: none. What cannot be read or parsed has no findings.
"""

from __future__ import annotations

from orquestrax.define.linter.findings import Finding
from orquestrax.define.linter.reach import lint

__all__ = ["Finding", "lint"]
