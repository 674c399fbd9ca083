"""Constructs of asyncio that hold no others. `constructs` says what stands in braces."""

from __future__ import annotations

from typing import Final

LEAVES: Final[dict[str, str]] = {
    "sleep": "return await asyncio.sleep({s}, {n})",
    "sleep_zero": """
        for _ in range({u}):
            await asyncio.sleep(0)""",
    "step": "return await step({n}, {s})",
    "fail": "return await fail({n}, {s})",
    "receive": "return await receive({signal!r})",
    "boom": "raise Boom({n})",
    "boom_group": "raise ExceptionGroup('several', [Boom({n}), ValueError({w})])",
    # -- timers and callbacks --
    "timer": """
        rung = asyncio.Event()
        asyncio.get_running_loop().call_later({s}, rung.set)
        return await rung.wait()""",
    "timer_cancelled": """
        loop = asyncio.get_running_loop()
        handle = loop.call_at(loop.time() + {s}, boom)
        await asyncio.sleep(0)
        handle.cancel()
        return handle.cancelled()""",
    "soon": """
        order = []
        loop = asyncio.get_running_loop()
        loop.call_later(0, order.append, 'due')
        loop.call_at(loop.time() - 1, order.append, 'long due')
        loop.call_soon(order.append, 'soon')
        for _ in range({u}):
            await asyncio.sleep(0)
        return list(order)""",
    # -- tasks --
    "cancel": """
        task = pick({w})
        return task and task.cancel('by {n}')""",
    "join": """
        task = earlier({w})
        return await task if task else None""",
    "cancel_self": """
        asyncio.current_task().cancel()
        return await asyncio.sleep({s})""",
    "uncancel_self": """
        task = asyncio.current_task()
        task.cancel()
        left = task.uncancel()
        await asyncio.sleep(0)
        return [left, task.cancelling()]""",
    "cancelling": "return asyncio.current_task().cancelling()",
    "count_tasks": "return len(asyncio.all_tasks())",
    # -- locks --
    "event_wait": "return await event.wait()",
    "event_set": "return event.set()",
    "event_clear": "return event.clear()",
    "lock_release": "return lock.release()",
    "semaphore_release": "return semaphore.release()",
    "bounded_release": "return bounded.release()",
    "condition_wait": """
        async with condition:
            return await condition.wait()""",
    "condition_wait_for": """
        async with condition:
            return await condition.wait_for(event.is_set)""",
    "notify": """
        async with condition:
            return condition.notify({w})""",
    "notify_all": """
        async with condition:
            return condition.notify_all()""",
    "barrier_wait": "return await barrier.wait()",
    "barrier_abort": "return await barrier.abort()",
    "barrier_reset": "return await barrier.reset()",
    # -- queues --
    "put": "return await queue.put({n})",
    "get": "return await queue.get()",
    "put_nowait": "return queue.put_nowait({n})",
    "get_nowait": "return queue.get_nowait()",
    "task_done": "return queue.task_done()",
    "queue_join": "return await queue.join()",
    "priority_put": "return await priority.put(-{n})",
    "priority_get": "return await priority.get()",
    "lifo_put": "return await lifo.put({n})",
    "lifo_get": "return await lifo.get()",
    # -- futures and contexts --
    "promise_wait": "return await promise",
    "promise_set": "return promise.set_result({n})",
    "promise_fail": "return promise.set_exception(Boom({n}))",
    "promise_cancel": "return promise.cancel('by {n}')",
    "remember": "letter.set({n})",
    "recall": "return letter.get()",
}

LEAVES_SINCE_3_13: Final[dict[str, str]] = {
    "shutdown": "return queue.shutdown()",
    "shutdown_now": "return queue.shutdown(immediate=True)",
}
