"""The ticket of a transactional attempt: the commit or the end of all waiting, whichever comes first."""

from __future__ import annotations

import asyncio

from orquestrax.worker.transactions.ticket import Ticket


def test_who_commits_cannot_be_revoked():
    ticket = Ticket()
    assert ticket.commits()
    assert not ticket.revoke()


def test_who_was_revoked_does_not_commit():
    ticket = Ticket()
    assert ticket.revoke()
    assert ticket.revoke()
    assert not ticket.commits()


async def test_of_two_threads_one_is_first():
    for _ in range(200):
        ticket = Ticket()
        outcomes = await asyncio.gather(asyncio.to_thread(ticket.commits), asyncio.to_thread(ticket.revoke))
        assert sorted(outcomes) == [False, True]
