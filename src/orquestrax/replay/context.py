"""What workflow code calls: the time, ids, randomness and messages that are the same in every replay.

Outside of a workflow each of these raises NotInWorkflow.
"""

from __future__ import annotations

import asyncio
import random as _random
from asyncio import _get_running_loop
from collections.abc import Coroutine
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import UnionType
from typing import Any, Final, TypeAlias, TypeVar, _SpecialForm, overload
from uuid import UUID

from orquestrax.base.codec import Codec
from orquestrax.base.errors import DefinitionError, InvalidInput, NotInWorkflow
from orquestrax.model.commands import StepSpec
from orquestrax.replay.instance import Replay
from orquestrax.replay.loop import Loop
from orquestrax.replay.sites import Site, caller

T = TypeVar("T")
MYPY = False  # mypy takes this very name for true, other type checkers for what it says
if MYPY:  # with Any here it would let `text: str = await receive("approval", bool)` pass
    _Form: TypeAlias = UnionType | _SpecialForm
else:
    _Form: TypeAlias = Any
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WorkflowInfo:
    """Which instance is running: its id and generated key, definition and version, and when it started.

    `attempt` counts the runs of its code from 1: see `@workflow(retry=…)`.
    """

    id: str
    key: UUID
    definition: str
    version: str
    started_at: datetime
    attempt: int


def current() -> Replay | None:
    """The instance whose code is running; None outside of workflows."""
    loop = _get_running_loop()
    return loop.owner if isinstance(loop, Loop) else None


def _required(function: str) -> Replay:
    replay = current()
    if replay is None:
        raise NotInWorkflow(f"{function} works only in the code of a workflow, and none is running here")
    return replay


def _datetime(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def now() -> datetime:
    """The time of the event that is being handled, in UTC. It stands still until the code waits."""
    return _datetime(_required("now()").now)


def info() -> WorkflowInfo:
    """Which instance this is."""
    replay = _required("info()")
    identity = replay.identity
    return WorkflowInfo(
        id=identity.id,
        key=identity.key,
        definition=identity.definition,
        version=identity.version,
        started_at=_datetime(identity.started_at),
        attempt=replay.attempt,
    )


def random() -> _random.Random:
    """A source of random numbers that belongs to this instance; always the same object."""
    return _required("random()").stream("random")


def uuid4() -> UUID:
    """A random UUID of version 4."""
    return UUID(int=_required("uuid4()").stream("uuid4").getrandbits(128), version=4)


@overload
def receive(name: str, type: type[T]) -> Coroutine[Any, Any, T]: ...
@overload
def receive(name: str, type: _Form = ...) -> Coroutine[Any, Any, Any]: ...
def receive(name: str, type: Any = Any) -> Coroutine[Any, Any, Any]:
    """Wait for the next signal of this name and return its payload as `type`.

    Signals of one name are kept in their order until they are received. A payload that does not fit raises
    PayloadError and is gone. Asked for when first awaited, like everything in asyncio.

        approved = await ox.receive("approval", bool)
    """
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"receive({name!r}): the name of a signal is text that is not empty")
    return _receive(name, type, caller(_NO_CODE))


async def _receive(name: str, type_: Any, site: Site) -> Any:
    message = await _required(f"receive({name!r})").ask_signal(name, site)
    return _codec(name, type_).decode(b"null" if message.payload is None else bytes(message.payload))


_receive.__name__ = _receive.__qualname__ = "receive"  # what "was never awaited" calls it
_NO_CODE: Final = (lambda: None).__code__


@lru_cache(maxsize=256)
def _compiled(type_: Any) -> Codec[Any]:
    return Codec(type_, where="signal")


def _codec(name: str, type_: Any) -> Codec[Any]:
    """Compiled once per type: names of signals may be made up as a workflow runs."""
    where = f"signal {name!r}"
    try:
        codec = copy(_compiled(type_))
    except (TypeError, DefinitionError):  # annotated with what has no hash, or refused: then with the name
        return Codec(type_, where=where)
    codec.where = where
    return codec


def ask_step(step: StepSpec, arguments: bytes, file: str | None, line: int | None) -> asyncio.Future[Any]:
    """Ask for a step in the workflow that is running; what `define.Call` does when first driven."""
    return _required(f"step {step.name!r}").ask_step(step, arguments, file, line)
