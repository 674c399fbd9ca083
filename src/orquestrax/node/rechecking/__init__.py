"""Replays what has ended once more, in a process with another hash seed, so that non-determinism shows at once.

    rechecker   which histories, when, and what is said of them
    process     the other process, as seen from here
    child       the other process itself
    messages    what the two tell each other
    noting      what is found, kept with the instance for its page and its logs

In one process sets of text have one order, so replaying there hides what a takeover would find. The child is
started afresh, never forked, imports the same modules, and runs at idle priority; at most one history is replayed at
a time, and while it is busy others are left out. The child never writes to the database and knows no address of one.
"""
