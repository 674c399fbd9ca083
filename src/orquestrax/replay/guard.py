"""Refuses what workflow code does to the world outside of the loop's sight: files, sockets, processes, threads.

An audit hook hears of it before it happens. Hooks cannot be removed, so there is one for the process, installed
where somebody asked for it, and silent unless workflow code runs on its thread: the running loop says so.

Not everything that happens while workflow code runs is the code's doing. Whatever imports, logging and debuggers do
is let through. Files opened for reading are refused only where the user's own code opens them: tracebacks read
sources, libraries time zones and tables, and that is theirs to know. What cannot be seen here (clocks,
randomness, reading from a socket that is there) is for the linter and the replay after the end.
"""

from __future__ import annotations

import linecache
import logging
import os
import sys
from asyncio import _get_running_loop
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from orquestrax.base.allowance import allows
from orquestrax.base.errors import ForbiddenInWorkflow
from orquestrax.replay.loop import Loop

log = logging.getLogger(__name__)

_READS: Final = """
    os.listdir os.scandir os.walk os.fwalk os.listxattr os.getxattr glob.glob glob.glob/2
"""
_TOUCHES: Final = """
    os.mkdir os.remove os.rename os.rmdir os.link os.symlink os.truncate os.chmod os.chown os.utime os.chdir
    os.setxattr os.removexattr os.lockf os.putenv os.unsetenv fcntl.flock fcntl.lockf
    shutil.copyfile shutil.copymode shutil.copystat shutil.copytree shutil.move shutil.rmtree shutil.chown
    shutil.make_archive shutil.unpack_archive tempfile.mkstemp tempfile.mkdtemp
    sqlite3.connect socket.connect socket.bind socket.getaddrinfo socket.gethostbyname socket.gethostbyaddr
    socket.getnameinfo socket.gethostname socket.sendto socket.sendmsg urllib.Request http.client.connect
    http.client.send smtplib.connect smtplib.send ftplib.connect ftplib.sendcmd imaplib.open poplib.connect
    subprocess.Popen os.system os.exec os.fork os.forkpty os.posix_spawn os.spawn os.kill os.killpg
    signal.pthread_kill pty.spawn webbrowser.open
"""
_STEP: Final = "put it in a step"
_INSTEAD: Final = {
    **dict.fromkeys(["open", *_READS.split(), *_TOUCHES.split(), "socket.__new__"], _STEP),
    "_thread.start_new_thread": "make the function a step (a plain `def` runs in a thread)",
    "_thread.start_joinable_thread": "make the function a step (a plain `def` runs in a thread)",
    "time.sleep": "write `await asyncio.sleep(…)`, or put it in a step",
    "builtins.input": "wait for a signal by orquestrax.receive, or put it in a step",
}
_IN_DEF: Final = {  # where plain `def` code cannot await
    "time.sleep": "write `orquestrax.await_(asyncio.sleep(…))`, or put it in a step",
}
_CALLED: Final = {
    "socket.__new__": "a socket",
    "glob.glob/2": "glob.glob",
    "builtins.input": "input",
    "_thread.start_new_thread": "a thread",
    "_thread.start_joinable_thread": "a thread",
}
_READING: Final = frozenset(_READS.split())
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Modules whose doings are not the workflow's, where they belong to Python or are installed.
_LET: Final = frozenset(
    """
    importlib _frozen_importlib _frozen_importlib_external zipimport pkgutil logging
    pdb bdb cmd code codeop faulthandler unittest coverage pydevd _pydevd_bundle debugpy IPython
    structlog loguru rich sentry_sdk opentelemetry
    """.split()  # noqa: SIM905 - a list of names
)
# Modules that only hand on what their caller wants.
_THIN: Final = frozenset(
    "os posixpath genericpath pathlib io codecs shutil tempfile glob fileinput gzip bz2 lzma zipfile".split()  # noqa: SIM905
)
_STDLIB: Final = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 - compared with co_filename as text
_BOUNDARY: Final = frozenset({Loop.within.__code__, Loop._run_ready.__code__})  # noqa: SLF001
_installed = False


def install() -> None:
    """Take effect in this process, for good. Repeated calls change nothing."""
    global _installed  # noqa: PLW0603 - a process has one hook, and no way to take it back
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    """The hot path: nearly every event ends at the first line."""
    if event in _INSTEAD:
        loop = _get_running_loop()
        if type(loop) is Loop:
            _judge(event, args, loop)


def _judge(event: str, args: tuple[Any, ...], loop: Loop) -> None:
    frames = list(_inner_frames(sys._getframe(2)))  # noqa: SLF001 - the stack is what is asked for
    if any(_root(frame) in _LET and not _is_users(frame) for frame in frames):
        return
    reads = event in _READING or (event == "open" and not _writes(args))
    if reads and not _is_read_by_user(frames, args):
        return
    culprit = next(filter(_is_users, frames), None)
    if culprit is None or not _is_allowed(culprit):
        _refuse(event, args, culprit, loop)


def _inner_frames(frame: FrameType | None) -> Iterator[FrameType]:
    """From what happens out to where the engine handed over to workflow code."""
    while frame is not None and frame.f_code not in _BOUNDARY:
        yield frame
        frame = frame.f_back


def _refuse(event: str, args: tuple[Any, ...], culprit: FrameType | None, loop: Loop) -> None:
    shown = _CALLED.get(event, event)
    if event == "open":
        shown = f"open({args[0]!r})" if args[1] in (None, "r") else f"open({args[0]!r}, {args[1]!r})"
    at = "" if culprit is None else f" ({culprit.f_code.co_filename}:{culprit.f_lineno})"
    plain = loop.plain is not None and loop.plain.is_here()
    instead = (plain and _IN_DEF.get(event)) or _INSTEAD[event]
    sentence = f"{shown} does not work in a workflow: {instead}{at}"
    # The code may swallow the error, and in production there is no hook to raise it. Silent in replays, as all logs.
    log.warning("instance %s: %s", loop.name, sentence)
    raise ForbiddenInWorkflow(sentence)


def _writes(args: tuple[Any, ...]) -> bool:
    """Whether a file is opened for more than reading; `os.open` says so by flags, `open` by a mode as well."""
    _, mode, flags = args
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool((flags or 0) & _WRITING)


def _is_read_by_user(frames: list[FrameType], args: tuple[Any, ...]) -> bool:
    path = str(args[0]) if args else ""
    if "zoneinfo" in path or "tzdata" in path:  # read by C code, which has no frame of its own
        return False
    reader = next((frame for frame in frames if _root(frame) not in _THIN or _is_users(frame)), None)
    return reader is not None and _is_users(reader)


def _root(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name.partition(".")[0] if isinstance(name, str) else ""


def _is_users(frame: FrameType) -> bool:
    """Neither of Python, nor installed, nor of this package."""
    file = frame.f_code.co_filename
    if file.startswith(("<frozen", _STDLIB)) or "site-packages" in file or "dist-packages" in file:
        return False
    return _root(frame) != _OURS


_OURS: Final = __name__.partition(".")[0]


def _is_allowed(frame: FrameType) -> bool:
    return allows(linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals))
