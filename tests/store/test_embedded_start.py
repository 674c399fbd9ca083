from __future__ import annotations

import asyncpg


async def test_the_shared_server_answers_on_the_workers_own_database(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        assert (await connection.fetchval("select current_database()")).startswith("ox_test_")
    finally:
        await connection.close()
