"""`shell`: a Python prompt inside the running system, with `client` connected and top-level `await`."""

from __future__ import annotations

import ast
import asyncio
import code
import contextlib
import inspect
import sys
import threading
from types import CodeType, FunctionType
from typing import Any

from orquestrax.cli import options
from orquestrax.cli.session import opened, settings_of

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

    opening = opened(settings_of(database=database, namespace=namespace))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="shell", daemon=True)
    thread.start()
    prompt = Prompt(loop)
    try:
        client = prompt.wait(opening.__aenter__())
        prompt.locals |= {"client": client, "ox": orquestrax, "asyncio": asyncio}
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - line editing comes with the import
        banner = BANNER.format(release=RELEASE, python=sys.version.split()[0])
        prompt.interact(banner=banner if sys.stdin.isatty() else "", exitmsg="")
        prompt.wait(opening.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Prompt(code.InteractiveConsole):
    """Compiles with top-level `await` and runs everything on one loop, which lives in another thread."""

    locals: dict[str, Any]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__({"__name__": "__console__", "__doc__": None})
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._loop = loop

    def raw_input(self, prompt: str = "") -> str:
        """A line of input; prompts are for terminals only."""
        return super().raw_input(prompt if sys.stdin.isatty() else "")

    def runcode(self, compiled: CodeType) -> None:
        """Run what was entered; Ctrl-C cancels it."""
        try:
            self.wait(self._run(compiled))
        except _Leave as leave:
            raise SystemExit(leave.status) from None
        except KeyboardInterrupt:
            self.write("\nKeyboardInterrupt\n")
        except BaseException:  # noqa: BLE001 - a prompt shows it and goes on
            self.showtraceback()

    def wait(self, work: Any) -> Any:
        """What the coroutine returns, awaited on the prompt's loop."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

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
