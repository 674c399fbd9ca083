"""Settings: from flags, `ORQUESTRAX_*` variables, `orquestrax.toml`, defaults, in this order.

database   ORQUESTRAX_DATABASE_URL   database = "postgresql://…"
           else DATABASE_URL if it is PostgreSQL, else the embedded server
namespace  ORQUESTRAX_NAMESPACE      namespace = "orquestrax"         the schema
home       ORQUESTRAX_HOME           home = "~/.local/share/orquestrax"
host       ORQUESTRAX_HOST           host = "127.0.0.1"
port       ORQUESTRAX_PORT           port = 4000
token      ORQUESTRAX_TOKEN          (never in the file)
prepared   ORQUESTRAX_PREPARED       prepared = false                 no, if the database is behind a transaction pooler
listen     ORQUESTRAX_LISTEN         listen = "postgresql://…"        then the address without the pooler, for LISTEN
hints      ORQUESTRAX_HINTS          hints = true                     no: nobody is told of anything, all of it polls
deadline   ORQUESTRAX_DEADLINE       deadline = 10.0                  seconds that a database call may take
hung_after ORQUESTRAX_HUNG_AFTER     hung_after = 30.0                seconds after which a stuck node is given up
queues     ORQUESTRAX_QUEUES         queues = "a,b:20"                queues that a node serves; all of them
slots      ORQUESTRAX_SLOTS          slots = 100                      coroutines, and threads, that run steps at once
processes  ORQUESTRAX_PROCESSES      processes = 4                    child processes for steps; one per core
heartbeat  ORQUESTRAX_HEARTBEAT      heartbeat = 2.0                  seconds between two signs of life of a node
lease      ORQUESTRAX_LEASE          lease = 10.0                     seconds of silence until others take over
poll       ORQUESTRAX_POLL           poll = 1.0                       seconds between two looks at what is due
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from orquestrax.base.errors import SettingsError
from orquestrax.core.store.embedded import default_home
from orquestrax.core.store.statements import quoted_schema
from orquestrax.model.queues import ALL, EVERY, Served, read_queues

FILE: Final = "orquestrax.toml"
KEYS: Final = (
    "database",
    "namespace",
    "home",
    "host",
    "port",
    "token",
    "prepared",
    "listen",
    "hints",
    "deadline",
    "hung_after",
    "queues",
    "slots",
    "processes",
    "heartbeat",
    "lease",
    "poll",
)
_POSTGRES: Final = re.compile(r"postgres(ql)?(\+\w+)?://")
_SWITCHES: Final = {"true": True, "on": True, "yes": True, "1": True} | {
    "false": False, "off": False, "no": False, "0": False
}  # fmt: skip
_OURS: Final = re.compile(r"(postgres(ql)?)(\+\w+)?(://)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is in force. `database` is None for the embedded server; `source` says where the database came from."""

    database: str | None = None
    source: str = "embedded server"
    namespace: str = "orquestrax"
    home: Path = Path()
    project: Path = Path()
    host: str = "127.0.0.1"
    port: int = 4000
    token: str | None = None
    prepared: bool = True
    listen: str | None = None
    hints: bool = True
    deadline: float = 10.0
    hung_after: float = 30.0
    queues: Served = ALL
    slots: int | None = None
    heartbeat: float = 2.0
    lease: float = 10.0
    poll: float = 1.0
    processes: int | None = None


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    project: Path | None = None,
    said: str = "--",
) -> Settings:
    """The settings for a project folder (default: the current one); `said` is how messages call a flag.

    Raises SettingsError with one sentence that names the setting and where it was read.
    """
    environ = os.environ if environ is None else environ
    folder = (project or Path.cwd()).resolve()
    stored = _read_file(folder / FILE)
    values: dict[str, tuple[Any, str]] = {}
    for key in KEYS:
        variable = "ORQUESTRAX_DATABASE_URL" if key == "database" else f"ORQUESTRAX_{key.upper()}"
        if flags and flags.get(key) is not None:
            values[key] = (flags[key], f"{said}{key}")
        elif environ.get(variable):
            values[key] = (environ[variable], variable)
        elif key in stored:
            values[key] = (stored[key], FILE)
    if "database" not in values and _POSTGRES.match(environ.get("DATABASE_URL", "")):
        values["database"] = (environ["DATABASE_URL"], "DATABASE_URL")
    return _settings(values, folder)


def _settings(values: Mapping[str, tuple[Any, str]], folder: Path) -> Settings:
    database, source = values.get("database", (None, "embedded server"))
    namespace, _ = values.get("namespace", ("orquestrax", ""))
    quoted_schema(str(namespace))
    home = Path(str(values["home"][0])).expanduser() if "home" in values else default_home()
    return Settings(
        database=None if database is None else _postgres_url(str(database), source),
        source=source,
        namespace=str(namespace),
        home=home.resolve(),
        project=folder,
        host=str(values.get("host", ("127.0.0.1", ""))[0]),
        port=_whole(values, "port", 4000, low=1, high=65535),
        token=_token(values),
        prepared=_switch(values, "prepared"),
        listen=_postgres_url(*map(str, values["listen"])) if "listen" in values else None,
        hints=_switch(values, "hints"),
        deadline=_number(values, "deadline", 10.0, low=0.1, high=3600),
        hung_after=_number(values, "hung_after", 30.0, low=1.0, high=86400),
        queues=_queues(values),
        slots=_whole(values, "slots", 1, low=1, high=100_000) if "slots" in values else None,
        heartbeat=_number(values, "heartbeat", 2.0, low=0.02, high=3600),
        lease=_number(values, "lease", 10.0, low=0.1, high=86400),
        poll=_number(values, "poll", 1.0, low=0.02, high=3600),
        processes=_whole(values, "processes", 1, low=1, high=1000) if "processes" in values else None,
    )


def _queues(values: Mapping[str, tuple[Any, str]]) -> Served:
    given, source = values.get("queues", (EVERY, ""))
    text = ",".join(map(str, given)) if isinstance(given, list | tuple) else str(given)
    return read_queues(text, source)


def _read_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from error
    unknown = sorted(set(stored) - set(KEYS))
    if unknown:
        known = ", ".join(key for key in KEYS if key != "token")
        raise SettingsError(f"{path} has an unknown setting {unknown[0]!r}: the settings are {known}")
    if "token" in stored:
        raise SettingsError(f"{path} holds a token: files get shared, so set ORQUESTRAX_TOKEN instead")
    return stored


def _postgres_url(url: str, source: str) -> str:
    if url.startswith(("http://", "https://")):
        raise SettingsError(
            f"the database from {source} is the address of a dashboard, which this release "
            "cannot work through: name the PostgreSQL behind it, postgresql://user:password@host:5432/name"
        )
    if not _POSTGRES.match(url):
        raise SettingsError(
            f"the database from {source} is not a PostgreSQL address: write postgresql://user:password@host:5432/name"
        )
    return _OURS.sub("postgresql://", url, count=1)


def _number(
    values: Mapping[str, tuple[Any, str]], key: str, default: float, *, low: float, high: float
) -> float:
    value, source = values.get(key, (default, ""))
    number = _read_number(value)
    if not low <= number <= high:
        raise SettingsError(f"{key} from {source} is {value!r}: it must be a number from {low:g} to {high:g}")
    return number


def _whole(values: Mapping[str, tuple[Any, str]], key: str, default: int, *, low: int, high: int) -> int:
    value, source = values.get(key, (default, ""))
    number = _read_number(value)
    if not (low <= number <= high and number.is_integer()):
        raise SettingsError(
            f"{key} from {source} is {value!r}: it must be a whole number from {low} to {high}"
        )
    return int(number)


def _read_number(value: Any) -> float:
    """Not a number where it is none."""
    try:
        return math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan


def _switch(values: Mapping[str, tuple[Any, str]], key: str) -> bool:
    """On unless it says otherwise."""
    value, source = values.get(key, (True, ""))
    said = str(value).lower()
    if said not in _SWITCHES:
        raise SettingsError(f"{key} from {source} is {value!r}: it must be true or false")
    return _SWITCHES[said]


def _token(values: Mapping[str, tuple[Any, str]]) -> str | None:
    token, source = values.get("token", (None, ""))
    shortest = 32
    if token is not None and len(str(token)) < shortest:
        raise SettingsError(
            f"the token from {source} has {len(str(token))} characters: it needs at least {shortest}"
        )
    return None if token is None else str(token)
