"""A workflow's memory is its history: events in, commands out; no database, sockets, threads or clock.

    instance    Replay, one workflow in memory: start, apply, take, close
    turns       what goes in and comes out beside events and commands: Identity, Turn, Wait
    driving     what each event that drives code does
    machine     numbers the commands and keeps the open ones
    attempts    what concerns the whole run: the next attempt after a failure, and its time limit
    mismatch    compares events with the commands; the two sides of a difference, in words
    mailbox     signals that wait for a receiver
    loop        the event loop: a ready queue, and time that only events move
    tasks       its handles, futures and tasks
    forbidden   what the loop refuses, and what to use instead
    alike       functions of asyncio whose outcome would depend on the Python version or on addresses
    ending      after the main task: cancel what is left, wait for it, finish
    eviction    closes everything without a sound or an effect
    guard       an audit hook that refuses what the loop cannot see, where it was installed
    quiet       no logs and warnings from code that replays or was evicted
    plain       plain `def` code: a greenlet, and the coroutine that awaits for it
    bridge      what plain code calls to await, and how it is called from code that awaits
    sites       which line of the user's code asked
    context     what workflow code calls: now, uuid4, random, info, receive

Invariants
- Time, code and order depend on the start and the events alone. One event is applied, then the loop runs
  until idle, live and in replay alike; so the order of the history is the order of execution.
- Commands are numbered from 1 in the order of asking and never twice. `issued` and `trail` (a rolling CRC-32
  over kinds and names) are compared with every event, so commands that left no event are checked as well.
- The loop is entered from a plain callback of the host's loop, or where there is none; never in a task.
- Nothing that workflow code does or raises reaches the host: a failure of the main task is its outcome, one
  in a callback goes to the log.

Failure: `NonDeterminism` out of `apply`, before anything changed. The owner then closes the instance and
parks it.
"""
