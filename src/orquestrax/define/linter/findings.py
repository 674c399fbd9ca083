"""One report of the linter."""

from __future__ import annotations

from dataclasses import dataclass

from orquestrax.define.checks import place


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A line of workflow code that will not do what it looks like.

    what      what is wrong with it, from the code's own words
    instead   what to use instead
    workflow  the name of the workflow that reaches the line
    within    the function that holds the line, "" if it is the workflow's own
    """

    file: str
    line: int
    what: str
    instead: str
    workflow: str
    within: str = ""

    def __str__(self) -> str:
        where = (
            f"{self.within}(), called by workflow {self.workflow}"
            if self.within
            else f"workflow {self.workflow}"
        )
        return f"{place(self.file, self.line)}: in {where}, {self.what}: {self.instead}"
