"""`shell`: a Python prompt inside the running system, with `client` connected and top-level `await`."""

from __future__ import annotations

import ast
import asyncio
import code
import contextlib
import inspect
import sys
import traceback
from types import CodeType, FunctionType
from typing import Any

from orquestrax.cli import options
from orquestrax.cli.session import opened, settings_of
from orquestrax.client.loopthread import LoopThread

CONSOLE = "<console>"  # what the standard library calls the file of a prompt
BANNER = """\
OrquestraX {release} on Python {python}. `client` is connected, `ox` is imported, `await` works at the prompt:
  await client.list(status="failed")
  run = await client.get("order-42"); await run.status()"""


def shell(database: options.Database = None, namespace: options.Namespace = None) -> None:
    """Open a Python prompt with `client` connected and top-level await.

    Examples:

      orquestrax shell

      echo 'print(await client.list())' | orquestrax shell
    """
    import orquestrax
    from orquestrax.base.release import RELEASE

    with LoopThread() as loop:
        opening = opened(settings_of(database=database, namespace=namespace))
        client = loop.wait(opening.__aenter__())
        prompt = Prompt(loop, {"client": client, "ox": orquestrax, "asyncio": asyncio})
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - line editing comes with the import
        banner = BANNER.format(release=RELEASE, python=sys.version.split()[0])
        try:
            prompt.interact(banner=banner if sys.stdin.isatty() else "", exitmsg="")
        finally:
            loop.wait(opening.__aexit__(None, None, None))


class Prompt(code.InteractiveConsole):
    """Compiles with top-level `await` and runs everything on one loop, which lives in another thread."""

    locals: dict[str, Any]

    def __init__(self, loop: LoopThread, names: dict[str, Any]) -> None:
        super().__init__({"__name__": "__console__", "__doc__": None, **names})
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._loop = loop

    def raw_input(self, prompt: str = "") -> str:
        """A line of input; prompts are for terminals only."""
        return super().raw_input(prompt if sys.stdin.isatty() else "")

    def runcode(self, compiled: CodeType) -> None:
        """Run what was entered; Ctrl-C cancels it."""
        try:
            self._loop.wait(self._run(compiled))
        except _Leave as leave:
            raise SystemExit(leave.status) from None
        except KeyboardInterrupt:
            self.write("\nKeyboardInterrupt\n")
        except BaseException as error:  # noqa: BLE001 - a prompt shows it and goes on
            self.write("".join(traceback.format_exception(_within_prompt(error))))

    async def _run(self, compiled: CodeType) -> None:
        try:
            result = FunctionType(compiled, self.locals)()
            if inspect.iscoroutine(result):
                await result
        except SystemExit as stop:  # it is to end the prompt, not the loop
            raise _Leave(stop.code) from None


class _Leave(Exception):
    def __init__(self, status: Any) -> None:
        super().__init__(status)
        self.status = status


def _within_prompt(error: BaseException) -> BaseException:
    """The error with the frames of what was entered, without ours around them."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != CONSOLE:
        trace = trace.tb_next
    return error.with_traceback(trace or error.__traceback__)
