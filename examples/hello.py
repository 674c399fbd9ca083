"""Five steps of a second each. Press Ctrl-C in the third and run it again: no finished step runs twice."""

import asyncio

import orquestrax as ox


@ox.step
async def greet(name: str) -> int:
    await asyncio.sleep(1)
    print(f"Hello, {name}!")
    return len(name)


@ox.workflow
async def hello(names: list[str]) -> int:
    return sum([await greet(name) for name in names])


if __name__ == "__main__":
    print("letters:", ox.run(hello, ["Ada", "Grace", "Joan", "Mary", "Radia"], id="hello-1"))
