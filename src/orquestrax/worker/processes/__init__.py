"""Steps in child processes: bodies that can be killed, and that never share the node's interpreter.

    pool       children, warm ones first; a step takes one and gives it back
    offspring  one child, seen from the node: start, job, kill, end
    frames     what goes over the socket between them, in frames of a length and MessagePack
    messages   the frames' contents
    places     how a child is told which step is meant
    deaths     how a child ended, as one sentence
    warding    kills what a dead node leaves behind; with guard, its program
    relay      log records of a child, handled by the node

    child      the child's program; with finder, its steps, and memory, its limit
    guest      what a body in a child knows of itself

Invariants
- A child is a new program (`exec`), never a fork of the node, and is handed one socket, nothing else that is open.
- A child leads a session and process group of its own. Whatever it starts is in that group, and the group is killed
  with it: at a limit, at a cancel, at its end, at the end of the node however that comes.
- A child that was killed is never used again; a body that was killed is over before its slot is free.
- Arguments and results are the bytes of the journal: the node neither decodes nor encodes them. No pickle.

Failure: a child that ends is a failed attempt (`ProcessCrashed`) and the next one gets another child.
"""
