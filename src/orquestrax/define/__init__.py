"""What a user declares: workflows, steps and resources. Decorators record and wire nothing.

    workflow, step   what the decorators make of a function
    step_options     how a step is run; checked, and changed by `step.options(…)`
    call             what calling a step gives: asks the running workflow, or runs the function
    outside          running a step where no workflow is: awaited, or blocking
    threads          threads that workflow code starts, where steps are refused
    raised           exceptions of `raises=` made again from a history
    signatures       arguments and results as stored JSON; with parameters, binding, inputs
    resource         resources as declared
    resources        as they live; with keeper, the task that holds one
    catalogue        what a node serves, collected from modules or lists; with record
    modules          importing users' modules by name or path
    checks           what every declaration is checked for
    linter           what in the source of workflows cannot be deterministic or durable
    rehearsal        a recorded history against a workflow's code, outside of any node

Invariants
- A declaration is complete and checked when its decorator returns; nothing is found out later, elsewhere.
- Names hold no module, so `python hello.py`, `hello.py` and `shop.hello` declare the same things.
- Where a step runs is decided when its call is first driven, by whose code is running then.
- What a workflow sees of a result or an error follows from the stored bytes alone, live and in replay alike.

Failure: `DefinitionError`, one sentence with file and line, out of the decorator or out of `load_modules`.
"""
