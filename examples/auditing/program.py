"""The program around the workflow: starts or resumes an audit, shows how far it is, asks for the decision."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import orquestrax as ox
from auditing.environment import NoEnvironment, running_environment, site_folders
from auditing.model import Decision, Verdict

OPEN: Final = ("pending", "running", "waiting")
LOOK: Final = 0.1  # seconds between looks at how far it is
REJECTED: Final = 3  # exit status


def main(audit: ModuleType, arguments: Sequence[str] | None = None) -> int:
    """Run the program of the module examples/audit.py; returns its exit status."""
    chosen = parser().parse_args(arguments)
    told = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        sites = running_environment() if chosen.environment is None else site_folders(chosen.environment)
        verdict = asyncio.run(_run(audit, [str(site) for site in sites], chosen, told))
    except KeyboardInterrupt:
        told.print("stopped: what is hashed stays hashed, run this again and it goes on", style="yellow")
        return 130
    except NoEnvironment as error:
        told.print(str(error), markup=False)
        return 2
    except ox.OrquestraxError as error:
        told.print(str(error), markup=False)
        return 1
    return _tell(verdict, Console(highlight=False, soft_wrap=True))


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(description="Verify installed distributions against their RECORDs.")
    made.add_argument(
        "environment", nargs="?", type=Path, help="a virtual environment; default: the running one"
    )
    made.add_argument("--report", type=Path, default=Path("audit-report"), help="folder for the report")
    answer = made.add_mutually_exclusive_group()
    answer.add_argument("--accept", action="store_true", help="accept what is found, without asking")
    answer.add_argument("--reject", action="store_true", help="reject what is found, without asking")
    return made


async def _run(audit: ModuleType, sites: list[str], chosen: argparse.Namespace, told: Console) -> Verdict:
    async with ox.node([audit], grace=0) as client:
        folder = str(chosen.report.resolve())
        run = await _begun(client, audit, sites, folder, told)
        ending = asyncio.create_task(run.result())
        try:
            if await _shown(run, ending, told):
                await _decided(run, ending, chosen, told)
            verdict: Verdict = await ending
        finally:
            ending.cancel()
        return verdict


async def _begun(
    client: ox.Client, audit: ModuleType, sites: list[str], folder: str, told: Console
) -> ox.Run[Verdict]:
    """A new audit, or the same one that an earlier run of this program has left unfinished."""
    for there in await client.list(status=OPEN, definition=audit.audit.name):
        if there.input == [sites, folder]:
            told.print(f"resumed {there.id}", style="yellow")
            resumed: ox.Run[Verdict] = await client.get(there.id, audit.audit)
            return resumed
    begun: ox.Run[Verdict] = await client.start(audit.audit, sites, folder)
    return begun


async def _shown(run: ox.Run[Any], ending: asyncio.Task[Any], told: Console) -> bool:
    """Show progress until it asks for a decision (True) or has ended."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=told) as progress:
        bar = progress.add_task("distributions", total=None)
        while not ending.done():
            history = await run.history()
            ended = [event.data for event in history if event.type == "step_completed"]
            surveyed = next((data["result"] for data in ended if data["step"] == "survey"), None)
            done = sum(data["step"] == "check" for data in ended)
            progress.update(bar, completed=done, total=len(surveyed) if surveyed is not None else None)
            if any(wait.get("name") == "approval" for wait in (await run.status()).waits):
                return True
            await asyncio.wait({ending}, timeout=LOOK)
    return False


async def _decided(
    run: ox.Run[Any], ending: asyncio.Task[Any], chosen: argparse.Namespace, told: Console
) -> None:
    """Answer for it as the flags or the person say, unless somebody elsewhere is quicker; else say how one can."""
    if chosen.accept or chosen.reject:
        accepted = bool(chosen.accept)
    elif sys.stdin.isatty():
        told.print("something is not as recorded: [bold]accept it? \\[y/N][/bold] ", end="")
        asking = asyncio.create_task(_typed())
        await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            asking.cancel()
            return
        accepted = asking.result().strip().lower() in ("y", "yes")
    else:
        told.print(
            f"{run.id} waits: orquestrax signal {run.id} approval "
            '\'{"accepted": true, "by": "…"}\', or run this again with --accept or --reject',
            markup=False,
        )
        return
    by = os.environ.get("USER") or getpass.getuser()
    with suppress(ox.InstanceEnded):
        await run.signal("approval", Decision(accepted, by), message_id=f"decision of {run.id}")


async def _typed() -> str:
    """A line from the keyboard, without a thread that Ctrl-C would have to wait for."""
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


def _tell(verdict: Verdict, console: Console) -> int:
    console.print(
        f"{verdict.distributions} distributions, {verdict.verified:,} files as recorded, "
        f"{len(verdict.flagged)} flagged, {verdict.strays} files unlisted",
        markup=False,
    )
    for name in verdict.flagged:
        console.print(f"flagged: {name}", markup=False)
    for path in verdict.reports:
        console.print(path, markup=False)
    if verdict.decision is None or verdict.decision.accepted:
        return 0
    console.print(f"rejected by {verdict.decision.by}", markup=False)
    return REJECTED
