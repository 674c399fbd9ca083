"""docs/reliability.md: what is promised, the tests that bear each promise's number, and the last full run.

promises    the promises in users' words
bearers     the tests whose names bear a number, read from their source
reports     what runs leave behind; soak and crowd are two of them as text
page        the page as text
"""
