"""`run --wait`: what shows an instance until its end, and runs it if nobody else does."""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack, aclosing, redirect_stdout
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from orquestrax.base.errors import NonDeterminism
from orquestrax.cli.failing import say

if TYPE_CHECKING:
    from orquestrax.client.client import Client
    from orquestrax.client.handle import Run
    from orquestrax.core.store.clientverbs import InstanceView
    from orquestrax.define.workflow import Workflow
    from orquestrax.settings import Settings


class Code(NamedTuple):
    """The workflow, if its module was given, and all that the module serves."""

    workflow: Workflow[..., Any]
    workflows: dict[str, Workflow[..., Any]]


class Waiting:
    """Waits for the end of an instance; becomes a node for it if no node serves it and the code is here."""

    def __init__(self, client: Client, run: Run[Any], settings: Settings, code: Code | None) -> None:
        self._client, self._run, self._settings, self._code = client, run, settings, code
        self._node = AsyncExitStack()
        self._settled = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._node.aclose()

    async def until_end(self) -> Any:
        """Show how it gets on; the decoded result. Raises WorkflowFailed and its kin."""
        from orquestrax.cli.live import view_of
        from orquestrax.client.watch import is_stuck, watch

        # What steps print is not the result, which stdout is for.
        with redirect_stdout(sys.stderr), view_of(self._run.id) as shown:
            async with aclosing(watch(self._client, self._run.key)) as views:
                async for view in views:
                    shown.show(view, await self._client.store.events(view.key, after=shown.story.seq))
                    if is_stuck(view) and self._settled:
                        self._refuse(view)
                    await self._see_to_it(view)
        return await self._run.result()

    async def _see_to_it(self, view: InstanceView) -> None:
        """Nobody has it and nobody serves it: run it here, or say so, once."""
        if self._settled or view.ended_at is not None or await served(self._client, view.definition):
            return
        self._settled = True
        if self._code is None:
            say(f"no node serves {view.definition} yet: start one with `orquestrax start MODULE`")
            return
        say(f"no node serves {view.definition}: this process does, until {view.id} has ended")
        from orquestrax.node import Node, engine_options

        options = engine_options(self._settings, exits=True)
        node = Node(self._settings, self._code.workflows, options=options)
        await node.start()
        self._node.push_async_callback(node.stop, grace=0)

    def _refuse(self, view: InstanceView) -> None:
        from orquestrax.client.views import decoded

        found = decoded(view.blocked) or {}
        raise NonDeterminism(
            f"{view.id} cannot go on with this code: {found.get('message')}",
            recorded=found.get("recorded", ""),
            asked=found.get("asked", ""),
            file=found.get("file"),
            line=found.get("line"),
        )


async def served(client: Client, name: str) -> bool:
    return any(definition.served for definition in await client.store.definitions(name))
