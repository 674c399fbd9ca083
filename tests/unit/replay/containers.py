"""Constructs of asyncio that hold others. `constructs` says what stands in braces."""

from __future__ import annotations

from typing import Final

CONTAINERS: Final[dict[str, str]] = {
    "sequence": "return await each({all})",
    "gather": "return await asyncio.gather({runs})",
    "gather_all": """
        results = await asyncio.gather({runs}, return_exceptions=True)
        return [told(result) for result in results]""",
    "gather_done": """
        tasks = start({all})
        await asyncio.wait(tasks)
        return await asyncio.gather(*tasks)""",
    "shield": "return await asyncio.shield(each({all}))",
    "shield_and_wait": """
        task = asyncio.create_task(each({all}))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            return [await task]""",
    "spawn": "return spawn({all})",
    "nested_tasks": """
        async def outer():
            return await asyncio.create_task(each({rest}))

        task = asyncio.create_task(outer())
        return [await run({first}), await task]""",
    "done_callback": """
        heard = []
        task = asyncio.create_task(each({all}))
        task.add_done_callback(lambda done: heard.append(done.cancelled()))
        await asyncio.wait([task], timeout={s})
        task.cancel()
        await asyncio.sleep(0)
        return list(heard)""",
    "uncancelled": """
        try:
            return await run({first})
        except asyncio.CancelledError:
            left = asyncio.current_task().uncancel()
            return [left, await each({rest})]""",
    # -- time limits --
    "wait_for": "return await asyncio.wait_for(each({all}), {s})",
    "wait_for_ever": "return await asyncio.wait_for(each({all}), None)",
    "wait_for_zero": "return await asyncio.wait_for(each({all}), 0)",
    "timeout": """
        async with asyncio.timeout({s}):
            return await each({all})""",
    "timeout_at": """
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + {s}):
            return await each({all})""",
    "timeout_zero": """
        async with asyncio.timeout(0):
            return await each({all})""",
    "timeout_moved": """
        async with asyncio.timeout(None) as limit:
            result = await run({first})
            limit.reschedule(asyncio.get_running_loop().time() + {s})
            return [result, await each({rest})]""",
    "timeout_caught": """
        try:
            async with asyncio.timeout({s}) as limit:
                return await run({first})
        except TimeoutError:
            return [limit.expired(), await each({rest})]""",
    # -- several at once --
    "group": """
        async with TaskGroup() as group:
            tasks = [group.create_task(run(function)) for function in ({all},)]
        return [task.result() for task in tasks]""",
    "group_body": """
        async with TaskGroup() as group:
            task = group.create_task(run({first}))
            own = await each({rest})
        return [task.result(), own]""",
    "wait_first": """
        tasks = start({all})
        done, pending = await asyncio.wait(tasks, timeout={s}, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in tasks if task in pending]:
            task.cancel()
        return [task in done for task in tasks]""",
    "wait_exception": """
        tasks = start({all})
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        return [task in done for task in tasks]""",
    "wait_all": """
        tasks = start({all})
        done, _ = await asyncio.wait(tasks, timeout={s})
        return [task in done for task in tasks]""",
    "wait_zero": """
        tasks = start({all})
        done, _ = await asyncio.wait(tasks, timeout=0)
        return [task in done for task in tasks]""",
    "race": """
        tasks = start({all})
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        return [told(result) for result in results]""",
    "as_completed": """
        results = []
        for coroutine in asyncio.as_completed(start({all}), timeout={s}):
            results.append(await coroutine)
        return results""",
    "pipeline": """
        items = asyncio.Queue()

        async def produce():
            try:
                for function in ({all},):
                    await items.put([await run(function)])
            finally:
                items.put_nowait(None)

        producer = asyncio.create_task(produce())
        found = []
        while (item := await items.get()) is not None:
            found.append(item)
            items.task_done()
        return [found, await producer]""",
    # -- exceptions --
    "try_except": """
        try:
            return await run({first})
        except Exception as error:
            return [told(error), await each({rest})]""",
    "catch_and_raise": """
        try:
            return await run({first})
        except BaseException:
            await each({rest})
            raise""",
    "catch_all": """
        try:
            return await run({first})
        except BaseException as error:
            return [told(error), await each({rest})]""",
    "try_finally": """
        try:
            return await run({first})
        finally:
            await each({rest})""",
    "except_star": """
        found = []
        try:
            found.append(await run({first}))
        except* (Boom, ValueError) as caught:
            found.append(told(caught))
            found.append(await each({rest}))
        return found""",
    "suppress": """
        with contextlib.suppress(Boom, ValueError):
            return await run({first})
        return ['suppressed', await each({rest})]""",
    "suppress_in_group": """
        with contextlib.suppress(Boom, ValueError):
            async with TaskGroup() as group:
                tasks = [group.create_task(run(function)) for function in ({all},)]
            return [task.result() for task in tasks]
        return 'suppressed'""",
    # -- generators and context managers --
    "generator": """
        async def source():
            for function in ({all},):
                yield await run(function)

        return [item async for item in source()]""",
    "generator_closed": """
        async def source():
            try:
                yield await run({first})
                yield 'never'
            finally:
                await each({rest})

        async with contextlib.aclosing(source()) as items:
            async for item in items:
                return item""",
    "generator_sent": """
        async def source():
            sent = None
            for function in ({all},):
                sent = yield [sent, await run(function)]

        async with contextlib.aclosing(source()) as talk:
            return [await talk.asend(None), await anext(talk, 'over')]""",
    "manager": """
        @contextlib.asynccontextmanager
        async def managed():
            try:
                yield await run({first})
            finally:
                await asyncio.sleep(0)

        async with managed() as value:
            return [value, await each({rest})]""",
    "exit_stack": """
        async with contextlib.AsyncExitStack() as exits:
            await exits.enter_async_context(semaphore)
            exits.push_async_callback(run, {first})
            return await each({rest})""",
    # -- locks --
    "with_lock": """
        async with lock:
            return await each({all})""",
    "with_semaphore": """
        async with semaphore:
            return await each({all})""",
    "with_bounded": """
        async with bounded:
            return await each({all})""",
    "with_condition": """
        async with condition:
            result = await run({first})
            condition.notify_all()
            return [result, await each({rest})]""",
    "with_barrier": """
        async with barrier as place:
            return [place, await each({all})]""",
    # -- contexts --
    "context_copied": """
        copied = contextvars.copy_context()
        copied.run(letter.set, {n})
        task = asyncio.create_task(each({all}), context=copied)
        return [await task, letter.get(), copied[letter]]""",
    "context_run": "return await contextvars.copy_context().run(asyncio.ensure_future, each({all}))",
}

SINCE_3_12: Final[dict[str, str]] = {
    "eager": """
        task = eagerly(asyncio.create_task, {first})
        return [task.done(), await each({rest}), await task]""",
    "eager_gather": """
        tasks = [eagerly(asyncio.create_task, function) for function in ({all},)]
        return await asyncio.gather(*tasks)""",
    "eager_group": """
        async with TaskGroup() as group:
            tasks = [eagerly(group.create_task, function) for function in ({all},)]
        return [task.result() for task in tasks]""",
}
SINCE_3_13: Final[dict[str, str]] = {
    "as_completed_async": """
        tasks = start({all})
        results = []
        async for task in asyncio.as_completed(tasks, timeout={s}):
            results.append([tasks.index(task), await task])
        return results""",
    "with_shutdown": """
        items = asyncio.Queue(1)

        async def produce():
            for function in ({all},):
                await items.put([await run(function)])
            items.shutdown()

        producer = asyncio.create_task(produce())
        found = []
        try:
            while True:
                found.append(await asyncio.wait_for(items.get(), {s}))
        except asyncio.QueueShutDown:
            return found
        finally:
            producer.cancel()""",
}
