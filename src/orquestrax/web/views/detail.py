"""Everything that the page of an instance shows. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orquestrax.core.store.clientverbs import DefinitionView, EventView, InstanceView
from orquestrax.core.store.progress import ProgressView
from orquestrax.web.views import chronicle, headline, source, story, timeline
from orquestrax.web.views.failure import Failure, failure_of
from orquestrax.web.views.payload import Payload, pretty
from orquestrax.web.views.statuses import STATUSES, Look, has_ended


@dataclass(frozen=True, slots=True)
class Detail:
    """`served` says whether a live node has the definition's code, `finding` what a replay after the end has found."""

    view: InstanceView
    look: Look
    parts: Sequence[headline.Part]
    places: Sequence[dict[str, Any]]
    failure: Failure | None
    chart: timeline.Chart
    entries: Sequence[chronicle.Entry]
    hidden: int
    input: Payload | None
    result: Payload | None
    error: Payload | None
    lines: Sequence[source.Line]
    file: str
    signals: Sequence[str]
    served: bool
    finding: str
    now: int

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return has_ended(self.view.status)

    @property
    def title(self) -> str:
        """For the browser's tab."""
        return f"{self.look.mark} {self.view.id}"


def detail(
    view: InstanceView,
    history: Sequence[EventView],
    definition: DefinitionView | None,
    *,
    now: int,
    full: frozenset[str] = frozenset(),
    said: Sequence[ProgressView] = (),
    finding: str = "",
) -> Detail:
    """Put the page together.

    full  names the payloads and events to be shown uncut, "events" all of them
    said  what its steps last said of themselves
    finding  what a replay after its end has found, "" for nothing
    """
    waits = headline.waits_of(view.waits) if not has_ended(view.status) else []
    started_at = view.started_at or view.created_at
    told = story.read(history, started_at, now, waits)
    open_steps = [] if has_ended(view.status) else told.open_steps()
    sites = [(wait.get("file"), wait.get("line")) for wait in waits] + [lane.site for lane in open_steps]
    shown = history if "events" in full else history[-chronicle.SHOWN :]
    return Detail(
        view=view,
        look=STATUSES[view.status],
        parts=headline.parts_of(waits, history, started_at, now) if not has_ended(view.status) else [],
        places=[wait for wait in waits if wait.get("line")],
        failure=failure_of(view, history),
        chart=timeline.chart(
            told,
            created_at=view.created_at,
            started_at=view.started_at,
            ended_at=view.ended_at,
            now=now,
            said={one.command: one for one in said},
        ),
        entries=chronicle.entries(view, shown, full),
        hidden=shown[0].seq - 1 if shown and shown[0].seq > 1 else 0,
        input=pretty(view.input, full="input" in full),
        result=pretty(view.result, full="result" in full),
        error=pretty(view.error, full="error" in full),
        lines=source.marked(definition, sites) if definition else [],
        file=definition.file if definition else "",
        signals=sorted({wait["name"] for wait in waits if wait["kind"] == "signal"}),
        served=definition.served if definition else False,
        finding=finding,
        now=now,
    )
