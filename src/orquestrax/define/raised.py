"""The exceptions of `raises=`, made again from what a history holds of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orquestrax.base.codec.failures import names_of_bases
from orquestrax.base.failures import OWN, Failure, as_step_failed


def rebuild(failure: Failure, raises: Sequence[type[BaseException]]) -> BaseException:
    """The exception that a workflow sees: one of `raises` as itself, all others as `StepFailed`.

    A subclass of one of them comes as itself if this process knows it and can make it again, else as that
    one. All this follows from what is stored, so it is the same live and in replay. Never raises: what cannot
    be made again comes as `StepFailed` with a note that says why.
    """
    classes = [] if failure.type in OWN else _classes_of(failure, raises)
    if not classes:
        return as_step_failed(failure)
    reasons = []
    for cls in classes:
        try:
            return _with_origin(_make(cls, failure), failure)
        except Exception as reason:  # noqa: BLE001 - a user's __init__ may do anything
            reasons.append(f"{type(reason).__name__}: {reason}")
    error = as_step_failed(failure)
    error.add_note(f"raises= names {classes[-1].__name__}, but it cannot be made again: {reasons[0]}")
    return error


def _make(cls: type[BaseException], failure: Failure) -> BaseException:
    if failure.args is None:
        raise ValueError("JSON cannot hold its arguments")
    error = cls(*failure.args)
    if not isinstance(error, cls):
        raise TypeError(f"{cls.__name__}(…) made a {type(error).__name__}")
    return error


def _classes_of(failure: Failure, raises: Sequence[type[BaseException]]) -> list[type[BaseException]]:
    """What the failure may be made as, best first: its own class, then the listed ones that it is."""
    listed = [cls for name in failure.bases for cls in raises if cls.__name__ == name]
    known = [*raises, *(cls for base in listed for cls in _subclasses(base))]
    own = [cls for cls in known if cls.__name__ == failure.type and _fits(cls, failure)]
    own.sort(key=lambda cls: cls.__module__ != failure.module)
    return own[:1] + listed


def _fits(cls: type[BaseException], failure: Failure) -> bool:
    """Whether a class of that name is the one that was raised, and not a stranger's.

    A module may be imported by two names and a class may move or change its bases, but hardly all at once.
    """
    return not failure.module or cls.__module__ == failure.module or names_of_bases(cls) == failure.bases


def _subclasses(base: type[BaseException]) -> Iterator[type[BaseException]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _subclasses(cls)


def _with_origin(error: BaseException, failure: Failure) -> BaseException:
    if failure.cause is not None:
        error.__cause__ = as_step_failed(failure.cause)
    if failure.traceback:
        error.add_note(f"Raised in step {failure.step}:\n{failure.traceback.rstrip()}")
    return error
