"""Running steps: one attempt at a time, on one node. Nothing here but `transactions`
knows the database, and nothing the instance.

    runner      takes a slot, starts the body, reports its outcome exactly once
    attempt     one body under way
    jobs        the attempts under way, seen as jobs
    bodies      what runs in the attempt's task: decode, bind resources, call, encode
    threads     daemon threads for plain functions
    slots       how many bodies at once
    limits      the moments at which an attempt is cut, or must have begun
    retrying    whether and when a failed attempt is tried again (pure)
    longwatch   tells of bodies that have been running for a while
    info        `step_info()`, what a body knows of itself
    progress    `progress()` and `heartbeat()`, what it tells; with pulse, the last of it
    reports     brings that to the store, in batches
    silence     cuts bodies that tell nothing for too long
    foreign     exceptions that have stayed in another process
    processes   child processes for plain functions, which can be killed
    transactions  steps whose effects in the database are committed together with their result

What a body does never harms the node: whatever it raises is a failed attempt. A body that cannot be stopped
(a thread, a coroutine that swallows its cancellation) is abandoned: its slot stays taken and visible until
it ends, its late outcome is refused.
"""
