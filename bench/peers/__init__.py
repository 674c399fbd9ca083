"""Other engines beside ours, in one run: `make bench-peers`.

run                             rounds, interleaved; the table and the JSON
install                         an environment of its own for each, under .artifacts/peers
talk                            what a child process answers, and how every engine is driven: alike
ours, dbos, absurd, oban,       W1 to W4 in each engine's own words, with its documented best settings
restate, restate_service

Each engine offers the same four: one step, ten steps in a row, many steps at once, and a workflow of none. A step
returns a small JSON, and every result is checked. All of them are durable, PostgreSQL with fsync on for those that
use it; Restate has a log of its own, with fsync on.
"""
