"""What a run on nodes and its fit tell each other, without Ray: in order, whoever is started again, and to its end."""

from __future__ import annotations

import asyncio

from headstart.cluster.ray_line import Line, News, Report

NOW = 0.0  # seconds that the fit waits for news


def step(number: int) -> Report:
    return number, 1 / number, 1e-3, 32


async def opened(*, steps: int = 10, allowed: int = 10) -> Line:
    line = Line()
    await line.open("run", steps, allowed)
    assert await line.start("run") == steps
    return line


def numbers(news: News) -> list[int]:
    return [report[0] for report in news.steps]


def test_a_run_waits_for_the_fit_after_each_step():
    async def told() -> None:
        line = await opened(allowed=0)
        for number in range(1, 4):
            waits = asyncio.create_task(line.step("run", step(number)))
            assert numbers(await line.news("run", number - 1, 60)) == [number]
            assert not waits.done()
            await line.allow("run", number, 10 - number)
            assert await waits == 10 - number  # as many as there are to be by then

    asyncio.run(told())


def test_a_run_by_itself_is_heard_of_once_in_order_and_then_forgotten():
    async def told() -> None:
        line = await opened()
        for number in (1, 2, 3):
            assert await line.step("run", step(number)) == 10
        assert numbers(await line.news("run", 0, 60)) == [1, 2, 3]
        assert numbers(await line.news("run", 3, NOW)) == []
        await line.step("run", step(4))
        assert numbers(await line.news("run", 3, 60)) == [4]
        assert numbers(await line.news("run", 0, NOW)) == [4]

    asyncio.run(told())


def test_steps_that_are_done_again_are_not_heard_of_again():
    async def told() -> None:
        line = await opened()
        for number in (1, 2, 3):
            await line.step("run", step(number))
        assert numbers(await line.news("run", 0, 60)) == [1, 2, 3]
        assert await line.start("run") == 10
        for number in (2, 3, 4):
            await line.step("run", step(number))
        assert numbers(await line.news("run", 3, 60)) == [4]

    asyncio.run(told())


def test_processes_that_fail_without_a_step_between_them_are_given_up():
    async def told() -> None:
        line = await opened()
        for _ in range(10):  # one step each: it goes on
            await line.failed("run", "killed")
            assert await line.start("run") == 10
            await line.step("run", step(1))
        starts = [await line.start("run") for _ in range(6)]
        assert starts == [10, 10, 10, 10, 10, 0]
        news = await line.news("run", 1, 60)
        assert news.fault is not None
        assert news.fault[0] == "training ends each time it is started on the nodes: killed"

    asyncio.run(told())


def test_a_fault_ends_it():
    async def told() -> None:
        line = await opened(allowed=0)
        waits = asyncio.create_task(line.step("run", step(1)))
        await line.failed("run", "gone", ("node a: gone", "photo.png", "put it there"))
        assert await waits == 0
        news = await line.news("run", 1, 60)
        assert news.fault == ("node a: gone", "photo.png", "put it there")
        await line.allow("run", 1, 10)
        assert await line.start("run") == 0

    asyncio.run(told())


def test_the_fit_ends_it_and_hears_of_the_state_that_is_kept():
    async def told() -> None:
        line = await opened(allowed=0)
        waits = asyncio.create_task(line.step("run", step(1)))
        assert (await line.news("run", 0, 60)).ended is None
        await line.allow("run", 10, 0)
        assert await waits == 0
        await line.end("run", 1)
        assert (await line.news("run", 1, 60)).ended == 1

    asyncio.run(told())


def test_whether_anybody_has_begun_it():
    async def told() -> None:
        line = Line()
        await line.open("run", 10, 10)
        assert not (await line.news("run", 0, NOW)).started
        await line.start("run")
        assert (await line.news("run", 0, NOW)).started
        await line.step("run", step(1))
        assert (await line.news("run", 1, NOW)).started  # though none was started since its last step

    asyncio.run(told())
