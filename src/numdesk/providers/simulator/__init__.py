"""A fake upstream for the sandbox, development and tests: sells numbers, knows rates, and follows
its script.

What it sells and what it remembers belongs to the world outside: it lies in a file of its own in
the data folder, so that every process of one server sees the same world, and a crash of ours does
not make it forget what it sold us.
"""

from numdesk.providers import Adapters, Provider, Surroundings
from numdesk.providers.simulator.adapter import Simulator, SimulatorSettings
from numdesk.providers.simulator.world import World


def _make(settings: SimulatorSettings, around: Surroundings) -> Adapters:
    world = World(around.data / "simulator.sqlite")
    simulator = Simulator(world, settings, sleep=around.sleep)
    return Adapters(
        supplier=simulator, rate_source=simulator, simulation=simulator, close=world.close
    )


PROVIDER = Provider(
    slug="simulator",
    title="Simulator",
    serves=frozenset({"supplier", "rate_source", "simulation"}),
    settings=SimulatorSettings,
    make=_make,
    make_believe=True,
)
