"""The engine under a seeded scheduler with virtual time.

    plan.py      from a seed: which faults strike when; jobs.py which clients do what, layout.py which node does what
    faults.py    strikes nodes: killed, frozen, cut off, told to drain
    world.py     virtual time, and one event loop for each process: any of them may be frozen or killed at any await
    server.py    between processes and database: latency, lost answers, locks of the fence
    model/       the model of the store: each statement of core/store/sql as a few lines of Python
    postgres.py  the same statements on a real PostgreSQL, to keep the model honest
    stores.py    the engine's own stores over that wire
    incarnation.py, process.py   a node as `node.incarnation` puts it together, and a client
    flows.py     what is run; effects.py what its bodies leave outside of the database
    witness.py   sees every transaction and body as it happens
    run.py       one seed, from plan to verdict; `python -m tests.simulation SEED` repeats one
    mutants.py   rules that are taken away, to see that their absence is noticed

Invariant: everything that happens follows from the seed: no thread, no real clock, no order of a set.
"""
