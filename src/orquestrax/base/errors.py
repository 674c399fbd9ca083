"""Every error that OrquestraX raises, in one tree.

    OrquestraxError                       OX1000  something that a user can act on
    ├── DefinitionError                   OX1100  a workflow, step or resource is declared wrongly
    │   └── DuplicateDefinition           OX1101  two of one name
    ├── InvalidInput                      OX1200  a value is refused at the door; nothing was written
    │   ├── PayloadError                  OX1201  a value does not fit its type or cannot be encoded
    │   ├── PayloadTooLarge               OX1202  a value is over the size limit
    │   └── InvalidId                     OX1203  an id is not text of 1 to 255 plain characters
    ├── NotFound                          OX1300  no instance, definition or file of that name
    ├── Conflict                          OX1301  the id exists with another definition or input
    ├── InstanceEnded                     OX1302  the instance has ended and takes no more messages
    ├── InvalidState                      OX1303  the instance's status does not allow that order
    ├── WorkflowFailed                    OX1400  the awaited instance failed
    │   └── WorkflowTimedOut              OX1403  … because its time limit passed
    ├── WorkflowCancelled                 OX1401  the awaited instance was cancelled
    ├── WorkflowTerminated                OX1402  the awaited instance was terminated
    ├── StepFailed                        OX1500  a step's last attempt failed
    │   ├── StepTimedOut                  OX1501  … because a time limit passed
    │   └── StepInterrupted               OX1503  an at-most-once step was lost with its node
    ├── Rejected                          OX1502  for users: "the answer was no"
    ├── ProcessCrashed                    OX1504  the process of an attempt ended before its result was there
    ├── MemoryLimitExceeded               OX1505  an attempt wanted more memory than `memory=` allows
    ├── TransactionEnded                  OX1506  a transactional step has committed or rolled back by itself
    ├── NotInWorkflow                     OX1600  called where no workflow runs
    ├── ForbiddenInWorkflow               OX1601  a facility that cannot be deterministic
    ├── NonDeterminism                    OX1602  the code does not fit its history
    ├── BlockingCall                      OX1603  a blocking call would stop a running event loop
    ├── SettingsError                     OX1700  a setting is missing or wrong
    ├── DatabaseError                     OX1800  the database refuses or cannot be reached
    │   ├── DatabaseUnreachable           OX1801  no server answers at that address in time
    │   ├── SchemaMismatch                OX1802  the schema is missing, older or newer than this release
    │   └── EmbeddedServerError           OX1803  the embedded server cannot be started
    └── Fenced                            OX1900  this node was declared dead and writes no more

`RetryAfter` is no error but a way for a step to set its own delay; it stands beside the tree.
Messages say what happened, where, and what to do; codes are stable.
"""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar


class OrquestraxError(Exception):
    """The root of the tree. `code` is stable and safe to match on."""

    code: ClassVar[str] = "OX1000"


class DefinitionError(OrquestraxError):
    """A workflow, step or resource is declared wrongly; the message names file and line."""

    code = "OX1100"


class DuplicateDefinition(DefinitionError):
    """Two definitions share one name; the message names both files and lines."""

    code = "OX1101"


class InvalidInput(OrquestraxError):
    """A value was refused at the door: nothing was written."""

    code = "OX1200"


class PayloadError(InvalidInput):
    """A value does not fit its type, or cannot be encoded as JSON; the message has the path to it."""

    code = "OX1201"


class PayloadTooLarge(InvalidInput):
    """A value is over the size limit (2 MB unless set otherwise)."""

    code = "OX1202"


class InvalidId(InvalidInput):
    """An id is not text of 1 to 255 characters without control characters."""

    code = "OX1203"


class NotFound(OrquestraxError):
    """There is nothing of that name."""

    code = "OX1300"


class Conflict(OrquestraxError):
    """The id belongs to an instance with another definition or another input."""

    code = "OX1301"


class InstanceEnded(OrquestraxError):
    """The instance has ended: it takes no signal, cancel or terminate any more."""

    code = "OX1302"


class InvalidState(OrquestraxError):
    """The instance cannot be paused because it is blocked, or cannot be resumed because it is not paused."""

    code = "OX1303"


class WorkflowFailed(OrquestraxError):
    """The awaited instance failed. `type`, `message`, `traceback` and `cause` describe the last error."""

    code = "OX1400"

    def __init__(
        self,
        message: str,
        *,
        type: str = "",
        traceback: str = "",
        cause: BaseException | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.type, self.traceback, self.cause = message, type, traceback, cause
        self.__cause__ = cause


class WorkflowTimedOut(WorkflowFailed, TimeoutError):
    """The awaited instance ran into the time limit of its definition; also a `TimeoutError`."""

    code = "OX1403"


class WorkflowCancelled(OrquestraxError):
    """The awaited instance was cancelled."""

    code = "OX1401"


class WorkflowTerminated(OrquestraxError):
    """The awaited instance was terminated: none of its code ran afterwards."""

    code = "OX1402"


class StepFailed(OrquestraxError):
    """The last attempt of a step failed.

    `type` is the name of the exception's class, `message` its text, `traceback` the formatted traceback of the
    attempt, `cause` the error it was raised from (again a `StepFailed`) or None.
    """

    code = "OX1500"

    def __init__(
        self,
        message: str,
        *,
        type: str = "",
        step: str = "",
        traceback: str = "",
        cause: StepFailed | None = None,
    ) -> None:
        super().__init__(f"{type}: {message}" if type else message)
        self.message, self.type, self.step = message, type, step
        self.traceback, self.cause = traceback, cause
        self.__cause__ = cause


class StepTimedOut(StepFailed, TimeoutError):
    """The last attempt of a step ran into a time limit; also a `TimeoutError`."""

    code = "OX1501"


class StepInterrupted(StepFailed):
    """A step was begun, its node was lost, and it is not run again: whether it took effect is not known.

    So it is with at-most-once steps, and with a step that has ended each node that ran it.
    """

    code = "OX1503"


class TransactionEnded(OrquestraxError):
    """The body of a transactional step has ended its transaction by itself."""

    code = "OX1506"


class Rejected(OrquestraxError):
    """For workflows to raise when the answer was no."""

    code = "OX1502"


class ProcessCrashed(OrquestraxError):
    """The process of an attempt was killed, or ended by itself, before its result was there; workflows see it as
    the `type` of a `StepFailed`."""

    code = "OX1504"


class MemoryLimitExceeded(OrquestraxError):
    """An attempt wanted more memory than `memory=` allows; workflows see it as the `type` of a `StepFailed`."""

    code = "OX1505"


class NotInWorkflow(OrquestraxError):
    """A function that only makes sense in a workflow, or in a step, was called elsewhere."""

    code = "OX1600"


class ForbiddenInWorkflow(OrquestraxError):
    """Workflow code used what cannot be deterministic; the message names what to use instead."""

    code = "OX1601"


class NonDeterminism(OrquestraxError):
    """The code asked for something else than its history holds. `recorded` and `asked` are the two sides."""

    code = "OX1602"

    def __init__(
        self, message: str, *, recorded: str, asked: str, file: str | None, line: int | None
    ) -> None:
        super().__init__(message)
        self.recorded, self.asked, self.file, self.line = recorded, asked, file, line


class BlockingCall(OrquestraxError):
    """A blocking call was made where an event loop runs; the message names what to await instead."""

    code = "OX1603"


class SettingsError(OrquestraxError):
    """A setting is missing or wrong; the message names it and where it was read."""

    code = "OX1700"


class DatabaseError(OrquestraxError):
    """The database refused: wrong password, missing privilege, unfit version."""

    code = "OX1800"


class DatabaseUnreachable(DatabaseError):
    """No PostgreSQL answered at the address within the deadline."""

    code = "OX1801"


class SchemaMismatch(DatabaseError):
    """The schema is missing, or of another release; the message says which command mends it."""

    code = "OX1802"


class EmbeddedServerError(DatabaseError):
    """The embedded server cannot be started; the message says why and what to do."""

    code = "OX1803"


class Fenced(OrquestraxError):
    """This node was declared dead. It drops its memory and writes no more."""

    code = "OX1900"


class RetryAfter(Exception):
    """Raised by a step to be tried again after `delay` (seconds or timedelta) instead of its back-off."""

    def __init__(self, delay: float | timedelta, message: str = "") -> None:
        super().__init__(message or f"try again in {delay}")
        self.seconds = delay.total_seconds() if isinstance(delay, timedelta) else float(delay)
