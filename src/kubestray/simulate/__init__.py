"""A simulated cluster: seeded, labelled telemetry as OpenTelemetry collectors send it."""

from kubestray.simulate.families import FAMILIES
from kubestray.simulate.scenarios import SCENARIOS
from kubestray.simulate.simulation import LIVE_S, Simulation, SimulationConfig, simulate

__all__ = ["FAMILIES", "LIVE_S", "SCENARIOS", "Simulation", "SimulationConfig", "simulate"]
