"""Order of sets, forgotten awaits, shared state; what is followed, what is allowed, and how it reads."""

from __future__ import annotations

import pytest
from tests.unit.define.linter.conftest import Lint

STEPS = """
@ox.step
async def charge(x: str = "") -> str: ...
@ox.step
def pack(x: str = "") -> str: ...
async def helper(x: str = "") -> str: return x
"""


@pytest.mark.parametrize(
    "body",
    [
        "for x in {'a', 'b'}: print(x)",
        "for x in set(names): print(x)",
        "for x in frozenset(names): print(x)",
        "for x in tags: print(x)",
        "for x in {name for name in names}: print(x)",
        "seen = set(names)\nfor x in seen: print(x)",
        "seen = set()\nfor n in names: seen.add(n)\nfor x in seen: print(x)",
        "seen: set[str] = set()\nfor x in seen: print(x)",
        "for x in set(names) - {'a'}: print(x)",
        "for x in tags | tags: print(x)",
        "for x in tags.union(names): print(x)",
        "return list(set(names))",
        "return [x for x in tags]",
        "return {x: 1 for x in tags}",
        "return ','.join(tags)",
        "return ','.join(x for x in tags)",
        "return tuple(x for x in tags)",
        "await asyncio.gather(*{charge(n) for n in names})",
        "await asyncio.gather(*(charge(n) for n in tags))",
        "first, second = tags",
        "return next(iter(tags))",
        "return tags.pop()",
        "return dict.fromkeys(tags)",
        "return [*tags]",
        "return list(enumerate(tags))",
        "return list(map(str, tags))",
        "out = []\nout.extend(tags)",
        "for x in KNOWN: print(x)",
    ],
)
def test_the_order_of_a_set_is_no_order(body: str, lint_body: Lint) -> None:
    found = lint_body(
        body, before=STEPS + "KNOWN = {'a', 'b'}", parameters="names: list[str], tags: set[str]"
    )
    assert [finding.instead for finding in found] == ["sort it first: `sorted(…)`"]


@pytest.mark.parametrize(
    "body",
    [
        "for x in sorted({'a', 'b'}): print(x)",
        "for x in sorted(set(names)): print(x)",
        "for x in dict.fromkeys(names): print(x)",
        "for x in {1, 2, 3}: print(x)",
        "for x in NUMBERS: print(x)",
        "for x in numbers: print(x)",
        "for x in set(range(9)): print(x)",
        "for x in {len(n) for n in names}: print(x)",
        "return len(set(names)), 'a' in tags, max(tags), min(tags), any(tags)",
        "return sum(len(x) for x in tags)",
        "return sorted(x for x in tags)",
        "return {x for x in tags}",
        "return frozenset(x for x in tags)",
        "return all(x for x in tags)",
        "return sorted(list(tags))",
        "done, pending = await asyncio.wait([asyncio.create_task(charge())])\nfor t in done: t.result()",
        "tasks = {asyncio.create_task(charge(n)) for n in names}\nawait asyncio.gather(*tasks)",
        "tasks = set()\nfor n in names: tasks.add(asyncio.create_task(charge(n)))\nfor t in tasks: t.cancel()",
        "tasks = {asyncio.ensure_future(charge(n)) for n in names}\nfor t in tasks: t.cancel()",
        "seen = set()\nfill(seen)\nfor x in seen: print(x)",
        "tags = sorted(tags)\nprint(tags)",
        "for x in unknown(names): print(x)",
        "x = set(names)\nx = list(names)\nfor y in x: print(y)",
    ],
)
def test_other_uses_of_sets_are_free(body: str, lint_body: Lint) -> None:
    before = f"{STEPS}NUMBERS = {{1, 2}}\ndef fill(x): ...\ndef unknown(x): return x"
    assert (
        lint_body(body, before=before, parameters="names: list[str], tags: set[str], numbers: set[int]") == []
    )


@pytest.mark.parametrize(
    ("body", "instead"),
    [
        ("charge()", "write `await charge(…)`"),
        ("charge.options(timeout=5)('x')", None),
        ("pack('x')", "write `await pack(…)`"),
        ("helper()", "write `await helper(…)`"),
        ("asyncio.sleep(3)", "write `await asyncio.sleep(…)`"),
        ("ox.receive('x')", None),
        ("charge.call()", "write `await charge(…)`"),
        ("pack.call()", "write `await pack(…)`"),
        ("return charge()", "write `return await charge(…)`"),
        ("await charge()", None),
        ("return await charge()", None),
        ("later = charge()\nreturn await later", None),
        ("await asyncio.gather(charge(), pack())", None),
        ("async def inner(): return charge()\nawait (await inner())", None),
        ("return [await each for each in (charge(), pack())]", None),
        ("flow()", "move the code that both need into an `async def` without decorator"),
    ],
)
def test_what_is_asked_for_is_awaited(body: str, instead: str | None, lint_body: Lint) -> None:
    assert [finding.instead for finding in lint_body(body, before=STEPS)] == ([instead] if instead else [])


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("global COUNT\nCOUNT += 1", 1),
        ("CACHE['x'] = 1", 1),
        ("del CACHE['x']", 1),
        ("CACHE.update(x=1)", 1),
        ("SEEN.append(1)", 1),
        ("SEEN[0] = 1", 1),
        ("print(CACHE['x'], len(SEEN), COUNT)", 0),
        ("CACHE = {}\nCACHE['x'] = 1", 0),
        ("total = 0\ndef add():\n    nonlocal total\n    total += 1\nadd()", 0),
        ("mine = dict(CACHE)\nmine['x'] = 1", 0),
    ],
)
def test_state_of_the_process_is_not_changed(body: str, count: int, lint_body: Lint) -> None:
    found = lint_body(body, before="CACHE = {}\nSEEN = []\nCOUNT = 0")
    assert len(found) == count
    assert all("all instances share it" in finding.what for finding in found)


def test_plain_def_workflows_call_and_await_in_their_own_way(lint_source: Lint) -> None:
    found = lint_source(
        STEPS
        + """
def ship() -> str: return pack.call()
@ox.workflow
def plain() -> str:
    charge.call("x")
    ox.await_(charge("x"))
    ox.await_(asyncio.gather(ox.to_greenlet(ship), charge("y")))
    async def inner(): return charge.call("inside")
    charge("forgotten")
    return ox.await_(ox.receive("x", str))
@ox.workflow
async def waits() -> str:
    def within(): return charge.call("x")
    await ox.to_greenlet(within)
    return await ox.to_greenlet(ship)
"""
    )
    assert [finding.instead for finding in found] == ["write `await charge(…)`", "write `charge.call(…)`"]


def test_plain_def_workflows_are_told_how_they_wait(lint_source: Lint) -> None:
    """`await` cannot be written there; in their `async def` helpers it can."""
    found = lint_source(
        STEPS
        + """
import time
async def rest(): time.sleep(1)
def nap(): time.sleep(2)
@ox.workflow
def plain() -> str:
    time.sleep(3)
    input()
    asyncio.run(rest())
    asyncio.sleep(4)
    nap()
    ox.await_(rest())
    return charge("x")
@ox.workflow
async def waits() -> None:
    def nested(): time.sleep(5)
    nested()
"""
    )
    assert [finding.instead for finding in found] == [
        "use `await asyncio.sleep(…)`, which is",
        "use `ox.await_(asyncio.sleep(…))`, which is",
        "use `ox.await_(asyncio.sleep(…))`, which is",
        "wait for a signal: `ox.await_(ox.receive(…))`",
        "hand what it runs to `ox.await_(…)`, or do it in a step",
        "write `ox.await_(asyncio.sleep(…))`",
        "write `return charge.call(…)`",
        "use `await asyncio.sleep(…)`, which is",
    ]


CLEAN = """
import datetime, math, json, re, hashlib, itertools, functools, random, uuid, logging, os.path, decimal, urllib.parse
import subprocess, requests, socket
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from pathlib import Path, PurePath
log = logging.getLogger(__name__)
FOLDER = Path("/data")
@dataclass
class Order:
    id: str
    lines: list[str] = field(default_factory=list)
    def total(self) -> int: return len(self.lines)
    def __hash__(self): return hash(self.id)
@ox.step
async def charge(order: Order) -> str: return open("/tmp/x").read()
@ox.step
def now(order: Order) -> float:
    import time
    return time.time()
"""


@pytest.mark.parametrize(
    "body",
    [
        "started = ox.now(); due = started + timedelta(days=3)",
        "pick = ox.random().choice([1, 2]); key = ox.uuid4()",
        "rng = random.Random(order.id); return rng.random()",
        "return uuid.uuid5(uuid.NAMESPACE_URL, order.id), uuid.UUID(int=5), uuid.uuid3(uuid.NAMESPACE_DNS, 'x')",
        "loop = asyncio.get_running_loop(); return loop.time()",
        "log.info('charging %s', order.id); print(order)",
        "return datetime.datetime(2024, 1, 1, tzinfo=timezone.utc), datetime.date.fromisoformat('2024-01-01')",
        "return datetime.datetime.fromtimestamp(5, timezone.utc), datetime.datetime.fromtimestamp(5, tz=timezone.utc)",
        "return os.path.join('a', 'b'), os.path.basename('x/y'), os.path.splitext('a.b')",
        "return FOLDER / order.id, (FOLDER / 'x').name, PurePath('x').suffix, Path('a').with_suffix('.b')",
        "return await charge(order), await now(order)",
        "try: await charge(order)\nexcept (requests.HTTPError, socket.timeout, subprocess.CalledProcessError): raise",
        "if isinstance(order, Path | socket.socket): return urllib.parse.quote('x')",
        "return order.total(), Order('x'), functools.reduce(max, [1]), math.sqrt(2), hashlib.sha256(b'x').hexdigest()",
        "async with asyncio.timeout(5), asyncio.TaskGroup() as group: group.create_task(charge(order))",
        "lock = asyncio.Lock(); queue = asyncio.Queue(); event = asyncio.Event()\nasync with lock: await queue.get()",
        "order.now(); order.time.time(); order.random.random(); order['open'].open('x')",
        "return json.dumps({}), re.match('a', 'b'), decimal.Decimal(1), Counter('abc'), deque([1])",
        "raise requests.HTTPError('no')",
        "id = order.id\nreturn id",
        "def sleep(x): ...\nsleep(5)",
        "tick = asyncio.create_task(charge(order)); await asyncio.wait_for(tick, 5); await asyncio.sleep(86400)",
        "from pathlib import PurePath as Path\nreturn Path('x').name",
        "from .nowhere import time\ntime.time()",
        "hash: int = 5\nreturn hash",
        "with order as open: open('x')",
        "match order:\n    case Order(id=id): return id\n    case {'x': open}: return open(1)",
        "return (lambda time: time.time())(order)",
        "return [open(x) for open in [str]]",
        "class Local:\n    time = 5\nreturn Local.time",
        "random = ox.random(); return random.random(), random.choice([1])",
        "return (x := order.id), x.open()",
    ],
)
def test_ordinary_code_is_free(body: str, lint_body: Lint) -> None:
    assert lint_body(body, before=CLEAN, parameters="order: Order") == []


def test_what_a_workflow_reaches_is_looked_at(lint_source: Lint) -> None:
    found = lint_source(
        """
        import functools, time, uuid
        from dataclasses import dataclass, field
        def deepest(): return time.time()
        def deep(): return deepest()
        @functools.lru_cache
        def cached(): return time.time_ns()
        def handed_on(x): return time.monotonic()
        def unreached(): return time.time()
        class Price:
            def __init__(self): self.at = time.perf_counter()
            def now(self): return time.process_time()
            @property
            def late(self): return time.thread_time()
            @staticmethod
            def plain(): return time.ctime()
        @dataclass
        class Order:
            id: uuid.UUID = field(default_factory=uuid.uuid4)
            at: float = field(default_factory=lambda: time.gmtime())
        def circle(): return deep(), circle()
        @ox.workflow
        async def flow():
            circle(); cached(); map(handed_on, [1])
            given = Price(); given.now(); given.late; Price.plain()
            Order()
            async def inner(): return deep()
        """,
        name="reached",
    )
    assert {finding.what.split()[0] for finding in found} == {
        "time.time()",
        "time.time_ns()",
        "time.monotonic()",
        "time.perf_counter()",
        "time.process_time()",
        "time.ctime()",
        "time.thread_time()",
        "Order(…)",
    }
    assert {finding.within for finding in found} == {
        "deepest",
        "cached",
        "handed_on",
        "Price.__init__",
        "Price.now",
        "Price.late",
        "Price.plain",
        "",
    }


def test_the_comment_allows_a_line_or_a_function(lint_source: Lint) -> None:
    found = lint_source(
        """
        import time
        def helper():  # ox: allow
            return time.time()
        @ox.workflow  # ox: allow
        async def whole(): return time.time()
        @ox.workflow
        async def head(  # ox: allow: it only logs
            x: int = 0,
        ): return time.time()
        @ox.workflow
        async def lines():
            helper()
            time.time()  # ox: allow
            print(  # nothing
                time.time(),  # ox:allow
            )
            time.monotonic()  # ox: allowance
            time.perf_counter()
        """
    )
    assert [finding.what.split()[0] for finding in found] == ["time.monotonic()", "time.perf_counter()"]


def test_two_workflows_that_reach_one_line_report_it_once(lint_source: Lint) -> None:
    found = lint_source(
        """
        import time
        def helper(): return time.time()
        @ox.workflow
        async def one(): helper()
        @ox.workflow
        async def two(): helper()
        """
    )
    assert [finding.workflow for finding in found] == ["one"]


def test_a_step_within_a_workflow_is_a_step(lint_body: Lint) -> None:
    assert lint_body("@ox.step\nasync def inner(): return open('x')\nreturn await inner()") == []


def test_a_finding_is_one_sentence(lint_source: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    (own, helped) = lint_source(
        """
        from time import time as t
        def helper(): return t()
        @ox.workflow
        async def flow():
            helper(); t()
        """,
        name="sentences",
    )[::-1]
    monkeypatch.chdir(own.file.removesuffix("/sentences.py"))
    assert str(own) == (
        "sentences.py:8: in workflow flow, t(), which is time.time, reads the machine's clock, "
        "which is later in every replay: use ox.now()"
    )
    assert str(helped).startswith("sentences.py:5: in helper(), called by workflow flow, t(), which")


def test_code_without_source_has_no_findings() -> None:
    import orquestrax as ox
    from orquestrax.define.linter import lint

    names: dict[str, object] = {"ox": ox, "__name__": "nowhere"}
    exec("import time\n@ox.workflow\nasync def flow(): time.time()", names)
    assert lint([names["flow"]]) == []  # type: ignore[list-item]
