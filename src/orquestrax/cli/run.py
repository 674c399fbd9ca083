"""`run`: start an instance from the command line and, if asked, wait for its result."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from orquestrax.base.errors import InvalidInput, NotFound
from orquestrax.base.ids import check_id, check_text
from orquestrax.cli import options, output
from orquestrax.cli.failing import say
from orquestrax.cli.session import opened, settings_of
from orquestrax.cli.waiting import Code, Waiting, served

if TYPE_CHECKING:
    from orquestrax.client.client import Client
    from orquestrax.settings import Settings

HUGE: Final = 64_000_000  # bytes that are read of an input; the limit proper is checked where it is decoded


def run(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:WORKFLOW|NAME",
            help="A workflow of a module (hello.py:hello, shop.flows:fulfil), or a definition's name that "
            "the database knows.",
            autocompletion=options.complete_definitions,
            show_default=False,
        ),
    ],
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="JSON|@FILE|-",
            help="With one parameter its JSON value; with several an array of them in order or an object of "
            "them by name; - is stdin.",
            show_default=False,
        ),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Its id; generated if left out.", show_default=False),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show progress, then print the result as JSON.")
    ] = False,
    database: options.Database = None,
    namespace: options.Namespace = None,
) -> None:
    """Start an instance and print its id; with --wait, show how it gets on and print its result.

    Starting again with the same id and input finds the instance that is there. With --wait and a MODULE, this
    process runs it if no node does.

    Examples:

      orquestrax run hello.py:hello --input '"Ada"' --wait

      orquestrax run fulfil --input @order.json --id order-42
    """
    module, name = _split(target)
    raw = _read(input_)
    if id_ is not None:
        check_id(id_)
    code = None if module is None else _load(module, name)
    request = _Request(name, code, raw, id_, wait=wait)
    settings = settings_of(database=database, namespace=namespace)
    from orquestrax.node.signals import Interrupted, run_until_signal

    try:
        run_until_signal(lambda: request.made(settings))
    except Interrupted as stop:
        if request.id is not None:
            say(f"{request.id} goes on without you: orquestrax show {request.id}")
        raise typer.Exit(stop.exit_code) from None


def _split(target: str) -> tuple[str | None, str]:
    module, colon, name = target.rpartition(":")
    if not colon and (target.endswith(".py") or os.sep in target):
        raise InvalidInput(f"{target} names a module: name its workflow too, {target}:WORKFLOW")
    if colon and not (module and name):
        raise InvalidInput(f"{target!r} is not MODULE:WORKFLOW, such as hello.py:hello")
    return module if colon else None, check_text(name, "a definition's name")


def _read(given: str | None) -> bytes | None:
    if given is None:
        return None
    if given == "-":
        return sys.stdin.buffer.read(HUGE)
    if not given.startswith("@"):
        return os.fsencode(given)
    try:
        with Path(given[1:]).open("rb") as file:
            return file.read(HUGE)
    except OSError as error:
        raise InvalidInput(f"the input cannot be read from {given[1:]}: {error.strerror}") from error


def _load(module: str, name: str) -> Code:
    from orquestrax.define.catalogue import collect, load_modules

    with redirect_stdout(sys.stderr):
        workflows = collect(load_modules([module])).workflows
    if name not in workflows:
        raise NotFound(f"{module} has no workflow {name!r}: it has {', '.join(sorted(workflows)) or 'none'}")
    return Code(workflows[name], workflows)


class _Request:
    """One `orquestrax run`; `id` is set once the instance is stored."""

    def __init__(
        self, name: str, code: Code | None, raw: bytes | None, id_: str | None, *, wait: bool
    ) -> None:
        self._name, self._code, self._raw, self._wanted, self._wait = name, code, raw, id_, wait
        self._encoded = None if code is None else self._by_code(code)
        self.id: str | None = None

    def _by_code(self, code: Code) -> tuple[str, bytes, bytes]:
        signature = code.workflow.signature
        encoded = signature.decode_input(self._raw)
        return code.workflow.version, encoded, signature.digest(encoded)

    async def _by_schema(self, client: Client) -> tuple[str, bytes, bytes]:
        from orquestrax.client.inputs import encode_by_schema

        known = await client.store.definitions(self._name)
        if not known:
            raise NotFound(
                f"the database knows no definition {self._name!r}: give MODULE:{self._name}, or start a node "
                "that serves it; `orquestrax definitions` lists what there is"
            )
        chosen = next((each for each in known if each.served), known[0])
        return chosen.version, *encode_by_schema(chosen, self._raw)

    async def made(self, settings: Settings) -> None:
        """Store the instance, and wait for its end if asked to."""
        async with opened(settings) as client:
            version, encoded, digest = self._encoded or await self._by_schema(client)
            run = await client.start_encoded(self._name, version, encoded, digest, id=self._wanted)
            self.id = run.id
            if self._wait:
                async with Waiting(client, run, settings, self._code) as waiting:
                    result = await waiting.until_end()
                output.print_json(result)
                return
            typer.echo(run.id)
            if not await served(client, self._name):
                say(f"no node serves {self._name} yet: {run.id} waits for one, {self._how_to_serve()}")

    def _how_to_serve(self) -> str:
        module = "MODULE" if self._code is None else self._code.workflow.file
        return f"start it with `orquestrax start {module}`"
