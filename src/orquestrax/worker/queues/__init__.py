"""Steps that come from the cluster's queues, and what becomes of them.

    service    the two loops, put together for one incarnation
    claimer    takes tasks for free slots, gives up those that nobody waits for any more
    pace       how many tasks to take ahead of the slots that will free meanwhile
    completer  tells instances what came of their steps, in batches
    outcomes   outcomes as messages to instances

Invariants
- A task is held by one node at a time, and only the attempt that holds it is heard: the row is the claim. Whatever
  the outcome of a commit, telling again is heard once.
- What the database says this node holds, and the node does not know, was never begun here, and is given back.
- Claims follow free slots, of executors and of queues with a limit; slots of short bodies are filled ahead.
- At-most-once steps count as begun with the claim. Lost with their node they are told, not run.

How it fails: a database that does not answer delays claims and results. A node that was declared dead holds nothing:
its tasks are with others, and what it still has to tell is refused.
"""
