"""What workflow code cannot use, by the name that it has where it is at home, and what to use instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rule:
    """`says` follows the facility's name in a sentence, `instead` ends it.

    free_from  with so many arguments it is deterministic after all, and nothing is reported
    in_def     ends it where a plain `def` cannot `await`, "" for `instead`
    """

    says: str
    instead: str
    free_from: int | None = None
    in_def: str = ""


_STEP: Final = "do it in a step"
CLOCK: Final = Rule("reads the machine's clock, which is later in every replay", "use ox.now()")
RANDOM: Final = Rule("gives other numbers in every replay", "use ox.random()")
SEEDED: Final = Rule("without a seed gives other numbers in every replay", "use ox.random()", free_from=1)
UUIDS: Final = Rule("makes another id in every replay", "use ox.uuid4()")
SECRETS: Final = Rule("gives other bytes in every replay", "draw them in a step, whose result is kept")
FILES: Final = Rule("touches the disk of whichever machine runs this code", _STEP)
NETWORK: Final = Rule("talks to the network again in every replay", _STEP)
PROCESSES: Final = Rule("touches processes of the machine again in every replay", _STEP)
THREADS: Final = Rule("brings in a thread, whose timing no replay repeats", "make it a plain `def` step")
SLEEP: Final = Rule(
    "stops every workflow of the node and is not durable",
    "use `await asyncio.sleep(…)`, which is",
    in_def="use `ox.await_(asyncio.sleep(…))`, which is",
)
MACHINE: Final = Rule(
    "may say something else on the next machine", "read it in a step, or take it as an input"
)
ADDRESSES: Final = Rule("is another number in every process", "use a value of your own, such as an id")
PEOPLE: Final = Rule(
    "waits for a terminal that no node has",
    "wait for a signal: `await ox.receive(…)`",
    in_def="wait for a signal: `ox.await_(ox.receive(…))`",
)
LOOPS: Final = Rule(
    "brings in an event loop that the engine does not run",
    "await it, or do it in a step",
    in_def="hand what it runs to `ox.await_(…)`, or do it in a step",
)
FOREIGN: Final = Rule("is not asyncio's, so it is neither durable nor replayed", "use asyncio's counterpart")
ZONE: Final = Rule("depends on the machine's time zone", "pass the time zone", free_from=2)

_GROUPS: Final[tuple[tuple[Rule, str, str], ...]] = (
    (CLOCK, "time", "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time"),
    (CLOCK, "time", "process_time_ns thread_time thread_time_ns clock_gettime clock_gettime_ns"),
    (Rule(CLOCK.says, CLOCK.instead, free_from=1), "time", "localtime gmtime ctime asctime"),
    (Rule(CLOCK.says, CLOCK.instead, free_from=2), "time", "strftime"),
    (SLEEP, "time", "sleep"),
    (CLOCK, "datetime.datetime", "now utcnow today"),
    (CLOCK, "datetime.date", "today"),
    (ZONE, "datetime.datetime", "fromtimestamp"),
    (CLOCK, "django.utils.timezone", "now localtime localdate"),
    (CLOCK, "pendulum", "now today tomorrow yesterday"),
    (CLOCK, "arrow", "now utcnow"),
    (CLOCK, "pandas.Timestamp", "now utcnow today"),
    (RANDOM, "random", "random randint randrange choice choices sample shuffle uniform triangular gauss"),
    (RANDOM, "random", "normalvariate expovariate betavariate gammavariate lognormvariate vonmisesvariate"),
    (
        RANDOM,
        "random",
        "paretovariate weibullvariate binomialvariate getrandbits randbytes seed SystemRandom",
    ),
    (SEEDED, "random", "Random"),
    (SEEDED, "numpy.random", "default_rng RandomState"),
    (RANDOM, "numpy.random", "rand randn randint random random_sample choice shuffle permutation uniform"),
    (RANDOM, "numpy.random", "normal standard_normal poisson exponential beta binomial gamma bytes seed"),
    (UUIDS, "uuid", "uuid1 uuid4 uuid6 uuid7 getnode"),
    (SECRETS, "os", "urandom getrandom"),
    (SECRETS, "secrets", "token_bytes token_hex token_urlsafe choice randbelow randbits"),
    (FILES, "builtins", "open"),
    (FILES, "io", "open FileIO open_code"),
    (FILES, "codecs", "open"),
    (FILES, "os", "open read write close listdir scandir walk fwalk stat lstat mkdir makedirs remove unlink"),
    (FILES, "os", "rename renames replace rmdir removedirs link symlink readlink chmod chown truncate utime"),
    (FILES, "os", "access chdir getcwd fsync statvfs"),
    (FILES, "os.path", "exists lexists isfile isdir islink getsize getmtime getctime getatime realpath"),
    (FILES, "os.path", "samefile"),
    (FILES, "shutil", "copy copy2 copyfile copytree copymode copystat move rmtree disk_usage which"),
    (FILES, "shutil", "make_archive unpack_archive"),
    (FILES, "tempfile", "NamedTemporaryFile TemporaryFile SpooledTemporaryFile TemporaryDirectory"),
    (FILES, "tempfile", "mkstemp mkdtemp mktemp gettempdir"),
    (FILES, "glob", "glob iglob"),
    (FILES, "aiofiles", "open"),
    (FILES, "pathlib.Path()", "open read_text read_bytes write_text write_bytes exists is_file is_dir"),
    (FILES, "pathlib.Path()", "iterdir glob rglob walk stat lstat mkdir unlink rename replace touch rmdir"),
    (FILES, "pathlib.Path()", "resolve absolute samefile chmod symlink_to hardlink_to readlink"),
    (FILES, "pathlib.Path()", "is_symlink is_mount owner group copy copy_into move move_into"),
    (FILES, "pathlib.Path", "cwd home"),
    (NETWORK, "socket", "socket create_connection create_server socketpair getaddrinfo gethostbyname"),
    (NETWORK, "socket", "gethostbyaddr getnameinfo getfqdn fromfd"),
    (NETWORK, "urllib.request", "urlopen urlretrieve build_opener"),
    (NETWORK, "http.client", "HTTPConnection HTTPSConnection"),
    (NETWORK, "smtplib", "SMTP SMTP_SSL LMTP"),
    (NETWORK, "ftplib", "FTP FTP_TLS"),
    (NETWORK, "imaplib", "IMAP4 IMAP4_SSL"),
    (NETWORK, "poplib", "POP3 POP3_SSL"),
    (NETWORK, "requests", "get post put patch delete head options request session Session"),
    (NETWORK, "httpx", "get post put patch delete head options request stream Client AsyncClient"),
    (NETWORK, "urllib3", "request PoolManager HTTPConnectionPool HTTPSConnectionPool"),
    (NETWORK, "aiohttp", "request ClientSession"),
    (NETWORK, "websockets", "connect"),
    (NETWORK, "asyncio", "open_connection start_server open_unix_connection start_unix_server"),
    (NETWORK, "asyncpg", "connect create_pool"),
    (NETWORK, "psycopg", "connect"),
    (NETWORK, "psycopg2", "connect"),
    (NETWORK, "pymysql", "connect"),
    (NETWORK, "pymongo", "MongoClient AsyncMongoClient"),
    (NETWORK, "redis", "Redis StrictRedis from_url"),
    (NETWORK, "redis.asyncio", "Redis StrictRedis from_url"),
    (NETWORK, "boto3", "client resource"),
    (NETWORK, "sqlalchemy", "create_engine"),
    (NETWORK, "sqlalchemy.ext.asyncio", "create_async_engine"),
    (NETWORK, "openai", "OpenAI AsyncOpenAI"),
    (NETWORK, "anthropic", "Anthropic AsyncAnthropic"),
    (FILES, "sqlite3", "connect"),
    (PROCESSES, "subprocess", "run Popen call check_call check_output getoutput getstatusoutput"),
    (PROCESSES, "os", "system popen fork forkpty kill killpg posix_spawn posix_spawnp execv execve execvp"),
    (PROCESSES, "os", "execl execlp spawnl spawnv wait waitpid abort _exit putenv unsetenv"),
    (PROCESSES, "asyncio", "create_subprocess_exec create_subprocess_shell"),
    (PROCESSES, "multiprocessing", "Process Pool Queue Manager Pipe"),
    (PROCESSES, "signal", "signal alarm setitimer pause raise_signal"),
    (
        THREADS,
        "threading",
        "Thread Timer Lock RLock Event Condition Semaphore BoundedSemaphore Barrier local",
    ),
    (THREADS, "_thread", "start_new_thread allocate_lock"),
    (THREADS, "concurrent.futures", "ThreadPoolExecutor ProcessPoolExecutor"),
    (THREADS, "queue", "Queue LifoQueue PriorityQueue SimpleQueue"),
    (THREADS, "asyncio", "to_thread"),
    (LOOPS, "asyncio", "run Runner new_event_loop run_coroutine_threadsafe"),
    (MACHINE, "os", "getenv environ environb getpid getppid cpu_count getlogin uname getuid"),
    (MACHINE, "os", "process_cpu_count getloadavg"),
    (MACHINE, "platform", "node platform machine system release version processor uname"),
    (MACHINE, "platform", "python_version"),
    (MACHINE, "socket", "gethostname"),
    (MACHINE, "getpass", "getuser"),
    (MACHINE, "sys", "argv"),
    (ADDRESSES, "builtins", "id"),
    (Rule("of text differs in every process", "use hashlib"), "builtins", "hash"),
    (PEOPLE, "builtins", "input"),
    (PEOPLE, "getpass", "getpass"),
    (FOREIGN, "trio", "sleep sleep_until sleep_forever open_nursery move_on_after fail_after run"),
    (FOREIGN, "anyio", "sleep sleep_until sleep_forever create_task_group move_on_after fail_after run"),
    (FOREIGN, "anyio.to_thread", "run_sync"),
    (FOREIGN, "gevent", "sleep spawn joinall"),
    (FOREIGN, "eventlet", "sleep spawn"),
)
NAMES: Final[dict[str, Rule]] = {
    f"{home}.{name}": rule for rule, home, names in _GROUPS for name in names.split()
}

# Instances that live longer than a workflow: nearly all that they can be asked is what their rule says.
INSTANCES: Final[dict[str, Rule]] = {
    "random.Random()": Rule(
        "is shared by all instances, so its numbers are others in a replay", "use ox.random()"
    ),
    "random.SystemRandom()": RANDOM,
    "numpy.random._generator.Generator()": RANDOM,
    "socket.socket()": NETWORK,
    "requests.sessions.Session()": NETWORK,
    "httpx.Client()": NETWORK,
    "httpx.AsyncClient()": NETWORK,
    "aiohttp.client.ClientSession()": NETWORK,
    "urllib3.poolmanager.PoolManager()": NETWORK,
    "asyncpg.pool.Pool()": NETWORK,
    "redis.client.Redis()": NETWORK,
    "redis.asyncio.client.Redis()": NETWORK,
    "pymongo.synchronous.mongo_client.MongoClient()": NETWORK,
    "sqlite3.Connection()": FILES,
    "_thread.lock()": THREADS,
    "_thread.RLock()": THREADS,
    "threading.Event()": THREADS,
    "threading.Condition()": THREADS,
    "threading.Semaphore()": THREADS,
    "queue.Queue()": THREADS,
    "_queue.SimpleQueue()": THREADS,
    "concurrent.futures.thread.ThreadPoolExecutor()": THREADS,
    "concurrent.futures.process.ProcessPoolExecutor()": THREADS,
}

# Methods whose names say what they do, whatever they are called on.
METHODS: Final[dict[str, Rule]] = {
    "run_in_executor": THREADS,
    "call_soon_threadsafe": THREADS,
    "add_signal_handler": PROCESSES,
}


def rule_of(name: str) -> Rule | None:
    """The rule for a resolved name, or for a method of an instance that has one."""
    found = NAMES.get(name)
    if found is None:
        owner, _, _ = name.rpartition(".")
        found = INSTANCES.get(owner)
    return found
