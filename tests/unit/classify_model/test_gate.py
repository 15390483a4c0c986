import asyncio

import pytest

from transforms.classify.model import gate as gate_module
from transforms.classify.model.budget import Budget, Rate
from transforms.classify.model.gate import Gate
from transforms.classify.model.settings import ConfigurationFault, EndpointSettings, Prices


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def run(coroutine):
    return asyncio.run(coroutine)


def test_never_more_in_flight_than_the_ceiling():
    async def scenario():
        gate = Gate(3)
        most = 0

        async def one():
            nonlocal most
            async with gate.slot():
                most = max(most, gate.in_flight)
                await asyncio.sleep(0.001)

        await asyncio.gather(*(one() for _ in range(20)))
        return most, gate.in_flight

    assert run(scenario()) == (3, 0)


def test_repetitions_go_first():
    async def scenario():
        gate = Gate(1)
        order = []

        async def one(name, again):
            async with gate.slot(again):
                order.append(name)

        async with gate.slot():
            tasks = [asyncio.ensure_future(one(n, n == "again")) for n in ("a", "b", "again")]
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return order

    assert run(scenario()) == ["again", "a", "b"]


def test_a_cancelled_waiter_takes_no_slot():
    async def scenario():
        gate = Gate(1)

        async def one():
            async with gate.slot():
                await asyncio.sleep(0.001)

        async with gate.slot():
            waiting = asyncio.ensure_future(one())
            granted = asyncio.ensure_future(one())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.sleep(0)
        granted.cancel()  # in the moment in which it is given the slot
        await asyncio.gather(waiting, granted, return_exceptions=True)
        await asyncio.wait_for(one(), 1)
        return gate.in_flight

    assert run(scenario()) == 0


def refuse(gate, clock, times, wait_s=2.0, **how):
    for _ in range(times):
        clock.now += 0.01
        gate.refused(wait_s, **how)


def test_single_refusals_hold_back_nobody_else():
    async def scenario():
        clock = Clock()
        gate = Gate(32, clock)
        for _ in range(200):
            for _ in range(19):
                gate.succeeded()
            refuse(gate, clock, 1)
        return gate.paused_s, gate.limit

    assert run(scenario()) == (0.0, 32.0)


def test_chance_alone_does_not_cut():
    """A twentieth of all requests is refused whatever the load; runs of luck are no load."""

    async def scenario():
        import random

        lowest = 32.0
        for seed in range(5):
            rng, gate = random.Random(seed), Gate(32, Clock())
            for _ in range(20_000):
                if rng.random() < 0.05:
                    gate.refused(None)
                else:
                    gate.succeeded()
                lowest = min(lowest, gate.limit)
        return lowest

    assert run(scenario()) == 32.0


@pytest.mark.parametrize("times, paused", [(3, False), (4, True)])
def test_several_refusals_in_a_row_hold_back_everyone(times, paused):
    async def scenario():
        clock = Clock()
        gate = Gate(8, clock)
        for _ in range(20):
            gate.succeeded()
        refuse(gate, clock, times, wait_s=2.0)
        return gate.paused_until - clock.now

    left = run(scenario())
    assert (left == pytest.approx(2.0)) if paused else (left < 0)


def test_half_of_the_latest_refused_holds_back_everyone():
    async def scenario():
        clock = Clock()
        gate = Gate(8, clock)
        for _ in range(8):
            gate.succeeded()
            refuse(gate, clock, 1)
        return gate.paused_until > clock.now

    assert run(scenario())


def test_a_header_that_nothing_is_left_holds_back_everyone_at_once():
    async def scenario():
        clock = Clock()
        gate = Gate(8, clock)
        gate.refused(5.0, nothing_left=True)
        return gate.paused_until - clock.now

    assert run(scenario()) == pytest.approx(5.0)


def test_a_longer_pause_that_holds_stays():
    async def scenario():
        clock = Clock()
        gate = Gate(8, clock)
        gate.pause(5)
        gate.pause(1)
        assert gate.paused_until == 105
        gate.pause(7)
        return gate.paused_until, gate.paused_s

    assert run(scenario()) == (107.0, 7.0)


def test_nobody_starts_during_a_pause():
    async def scenario():
        gate = Gate(4)
        loop = asyncio.get_running_loop()
        gate.pause(0.05)
        begun = loop.time()

        async def one():
            async with gate.slot():
                return loop.time() - begun

        return await asyncio.gather(*(one() for _ in range(6)))

    assert min(run(scenario())) >= 0.05


def test_the_limit_falls_under_load_and_recovers():
    async def scenario():
        clock = Clock()
        gate = Gate(32, clock)
        for _ in range(150):
            gate.refused(None)
            gate.succeeded()
        low = gate.limit
        for _ in range(20000):
            gate.succeeded()
        return low, gate.limit

    low, high = run(scenario())
    assert low < 16
    assert high == 32


def test_near_the_limit_that_was_too_high_it_grows_slowly():
    async def scenario():
        gate = Gate(100, Clock())
        for _ in range(4):
            gate.refused(1.0)
        grown = [gate.limit]
        for _ in range(10):
            for _ in range(100):
                gate.succeeded()
            grown.append(gate.limit)
        return grown

    grown = run(scenario())
    assert grown[0] == pytest.approx(85)
    assert grown[1] - grown[0] > 1 and grown[4] >= 88
    assert grown[10] - grown[9] < 0.2


def test_the_limit_never_reaches_zero():
    async def scenario():
        clock = Clock()
        gate = Gate(2, clock)
        for _ in range(100):
            clock.now += 2
            gate.refused(None)
        return int(gate.limit)

    assert run(scenario()) == 1


def test_cuts_are_at_most_one_for_each_limits_worth_of_replies():
    async def scenario():
        gate = Gate(100, Clock())
        for _ in range(150):
            gate.refused(None)
        return gate.limit

    assert run(scenario()) == pytest.approx(100 * gate_module.DECREASE)


# --- Budget and rates -----------------------------------------------------------------------------


def settings(**fields):
    return EndpointSettings(**fields)


def test_calls_of_the_run_are_divided_among_processes():
    async def scenario():
        budget = Budget(settings(max_calls=10, processes=3))
        return [await budget.reserve((1, 1)) for _ in range(5)]

    assert run(scenario()) == [True, True, True, False, False]


def test_dollars_are_reserved_at_the_highest_price_and_settled_at_the_real_one():
    price = Prices(prompt=10, completion=20)  # 1,000 + 500 tokens: 0.02

    async def scenario():
        budget = Budget(settings(max_usd=0.05))
        assert await budget.reserve((1000, 500), price)
        assert await budget.reserve((1000, 500), price)
        third = asyncio.ensure_future(budget.reserve((1000, 500), price))  # 0.01 is left
        await asyncio.sleep(0.01)
        assert not third.done()
        budget.settle((1000, 500), (0, 0), price)  # the first failed and cost nothing
        assert await third
        budget.settle((1000, 500), (500, 50), price)
        budget.settle((1000, 500), (1000, 500), price)
        return budget.usd_left, await budget.reserve((2000, 500), price)

    left, more = run(scenario())
    assert left == pytest.approx(0.05 - 0.006 - 0.02)
    assert not more


def test_models_of_different_prices_share_one_budget():
    dear, cheap = Prices(prompt=100, completion=100), Prices(prompt=1, completion=1)

    async def scenario():
        budget = Budget(settings(max_usd=0.11))
        assert await budget.reserve((500, 500), dear)
        budget.settle((500, 500), (500, 500), dear)
        assert await budget.reserve((500, 500), cheap)
        budget.settle((500, 500), (0, 0), cheap)
        return budget.usd_left, await budget.reserve((500, 500), dear)

    left, more = run(scenario())
    assert left == pytest.approx(0.01)
    assert not more


def test_no_limits_let_everything_through():
    async def scenario():
        budget = Budget(settings())
        return [await budget.reserve((10**9, 10**9)) for _ in range(1000)]

    assert all(run(scenario()))


@pytest.mark.parametrize(
    "fields, says",
    [
        ({"max_calls": 3, "processes": 4}, "max_calls"),
        ({"concurrency": 0}, "concurrency"),
        ({"timeout_s": 0}, "timeout"),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(fields, says):
    with pytest.raises(ConfigurationFault, match=says):
        settings(**fields).check()


def test_a_rate_is_kept_whatever_the_demand():
    async def scenario():
        rate = Rate(60 * 200)  # 200 a second
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await asyncio.gather(*(rate.take(1) for _ in range(60)))
        return loop.time() - begun

    # The bucket begins with one unit: 59 more at 200 a second.
    assert run(scenario()) >= 59 / 200 * 0.98


def test_a_request_larger_than_the_bucket_is_let_through_and_leaves_a_debt():
    async def scenario():
        clock = Clock()
        rate = Rate(60, clock)  # 1 a second
        await rate.take(30)
        return rate._refilled()

    assert run(scenario()) == pytest.approx(-29)


def test_corrections_give_back_what_was_not_used_but_never_above_the_bucket():
    clock = Clock()
    rate = Rate(600, clock)
    rate.correct(5)
    assert rate._refilled() == pytest.approx(-4)
    rate.correct(-1000)
    assert rate._refilled() == rate.capacity


def test_who_waits_for_a_rate_goes_on_as_soon_as_enough_is_given_back():
    async def scenario():
        rate = Rate(600)  # 10 a second
        await rate.take(30)  # a debt of three seconds
        waiting = asyncio.ensure_future(rate.take(1))
        await asyncio.sleep(0.01)
        rate.correct(-30)
        return await asyncio.wait_for(waiting, 1)

    assert run(scenario()) < 0.5
