"""Transactional steps: what a body does in the engine's database is committed together with its result.

    body          one attempt: open, call, conclude; in a coroutine or in a thread
    concluding    the result and COMMIT, the same for both
    service       what all attempts of a node share
    ticket        who is first: the commit, or whoever no longer waits for it
    sessions      one connection of the step's own: which library, and what all of them offer
    by_asyncpg, by_psycopg, by_alchemy    asyncpg, psycopg, and SQLAlchemy's sessions and connections over them

Invariants
- The connection belongs to the attempt alone and is closed with it. The fence is taken after the body, last of all.
- An attempt that nobody waits for any more never begins to commit, and one that commits is waited for.
- A COMMIT without an answer is looked up, never guessed: the result is there, or the transaction was rolled back.

Libraries are imported when the first step that uses them runs.
"""
