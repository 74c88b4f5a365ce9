"""Random data that is awkward in every way at once; every value is a multiple of a quarter."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, settings

from helpers import DAY, HOUR, NOW, SECOND, Point, series
from kubestray.model.metric import Kind, Series

one_of_three = settings(
    max_examples=1,  # `three` lots of data in it
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller seed is not a smaller example
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

KINDS = (Kind.GAUGE, Kind.GAUGE, Kind.DELTA, Kind.CUMULATIVE)
NAMES = (
    "web",
    "db",
    "a:b",
    "a",
    "b:c",
    "c",
    "it's",
    "ü\n🐍",
    "100%",
    "x y",
    '"q"',
    "b\\s",
    "[$h$]",
    "",
    "10",
)
COLLIDING = [("a:b", "c"), ("a", "b:c")]
NETWORK = (
    "tcp.bytes",
    "tcp.packets",
    "tcp.new_sockets",
    "udp.bytes",
    "udp.packets",
    "http.requests",
    "tcp.a, b",
)


def a_moment(dice: random.Random) -> int:
    """A ``now`` that is seldom the start of anything."""
    return NOW + dice.choice([0, 3, 7]) * SECOND + dice.choice([0, 1, 123_456_789])


def three(make: Callable[..., tuple[int, list[Point]]], seed: int, *apart: str) -> tuple[int, list[Point]]:
    """Three lots of random data at one ``now``; two have a mark before what the attributes ``apart`` say.

    To read a long statement takes the engine far longer than to run it over so few points: one run judges
    all three.
    """
    dice = random.Random(seed)
    now, points = make(dice)
    for mark in "23":
        points += [(_marked(of, mark, apart), *rest) for of, *rest in make(dice, now=now)[1]]
    return now, points


def _marked(of: Series, mark: str, apart: tuple[str, ...]) -> Series:
    changed = {name: mark + value if name in apart else value for name, value in of.attributes}
    return series(of.metric, of.kind, **changed)


def lacking_one(dice: random.Random, made: Series, names: tuple[str, ...]) -> Series:
    """The series, or seldom the same without one of its attributes."""
    if dice.random() >= 0.15:
        return made
    lost = dice.choice(names)
    return series(made.metric, made.kind, **{k: v for k, v in made.attributes if k != lost})


def sent(dice: random.Random, points: list[Point]) -> list[Point]:
    """The points as a network delivers them: some twice, in any order."""
    points = points + dice.sample(points, len(points) // 5)
    dice.shuffle(points)
    return points


def valued(dice: random.Random, made: Series, times: list[int], value: Callable[[], float]) -> list[Point]:
    """A point at each time; a counter climbs by the value, and restarts now and then."""
    points: list[Point] = []
    total, start = float(dice.randint(0, 1000)), 7
    for time in sorted(set(times)):
        reading = float(value())
        if made.kind is Kind.CUMULATIVE:
            if dice.random() < 0.1:
                total, start = 0.0, dice.choice([start, time, 0])
            total += reading
            reading = total
        points.append((made, time, start, reading))
    return points


def quarters(dice: random.Random, factor: int = 1) -> Callable[[], float]:
    """Values from 0 to 100 times a factor."""
    return lambda: dice.randint(0, 400) / 4 * factor


def a_network(
    dice: random.Random, by: tuple[str, str, str], now: int | None = None
) -> tuple[int, list[Point]]:
    """``now``, and a month of a few talkers."""
    now = a_moment(dice) if now is None else now
    points: list[Point] = []
    few = dice.choice([NAMES[: dice.randint(1, 8)], dice.sample(NAMES, 3)])
    pairs = dice.choice([COLLIDING, [(one, other) for one in few for other in few]])
    for _ in range(dice.randint(4, 14)):
        names = (dice.choice(["c1", "c2"]), *dice.choice(pairs))
        attributes = {**dict(zip(by, names, strict=True)), "pod": str(dice.randint(1, 3))}
        made = lacking_one(dice, series(dice.choice(NETWORK), dice.choice(KINDS), **attributes), by)
        points += _history(dice, made, now) + _recent(dice, made, now)
    return now, sent(dice, points)


def _history(dice: random.Random, made: Series, now: int) -> list[Point]:
    shape = dice.choice(["none", "one", "flat", "any", "any", "any"])
    count = {"none": 0, "one": 1}.get(shape, dice.randint(2, 30))
    days = [now - day * DAY for day in (30, 29, 2, 1)]
    times = [dice.choice(days) + dice.randrange(-DAY // 2, DAY // 2) for _ in range(count)]
    times = [time for time in times if time < now - HOUR]
    if made.kind is Kind.CUMULATIVE:
        # Increases need a point before them within the hour.
        times = [base + step * 10 * SECOND for base in times[:4] for step in range(-5, 1)]
    times += [
        edge for edge in (now - 30 * DAY, now - 30 * DAY - 1, now - HOUR - 1) if count and dice.random() < 0.3
    ]
    level = dice.randint(0, 50)
    return valued(dice, made, times, (lambda: level) if shape == "flat" else quarters(dice))


def _recent(dice: random.Random, made: Series, now: int) -> list[Point]:
    count = dice.choice([0, 5, 6, 7, 20])
    times = [
        now - HOUR + dice.randrange(360) * 10 * SECOND + dice.choice([0, 1, 5 * SECOND]) for _ in range(count)
    ]
    times += [edge for edge in (now - HOUR, now - 1, now, now + SECOND) if count and dice.random() < 0.3]
    return valued(dice, made, times, quarters(dice, dice.choice([1, 20, 20])))


def sightings(dice: random.Random, now: int | None = None) -> tuple[int, list[Point]]:
    """``now``, and edges, images and processes that were seen at the edges of all windows."""
    now = a_moment(dice) if now is None else now
    points: list[Point] = []
    for _ in range(dice.randint(20, 50)):
        metric = dice.choice(
            ["tcp.packets", "udp.packets", "k8s.container.ready", "process.memory.utilization", "tcp.bytes"]
        )
        attributes = _attributes_of_a_sighting(dice, metric)
        made = lacking_one(dice, series(metric, dice.choice(KINDS), **attributes), tuple(attributes))
        points += valued(dice, made, _times_of_a_sighting(dice, now), quarters(dice))
    return now, sent(dice, points)


def _attributes_of_a_sighting(dice: random.Random, metric: str) -> dict[str, str]:
    few = NAMES[: dice.choice([2, 3, len(NAMES)])]
    attributes = {"k8s.cluster.name": dice.choice(["c1", "c2"])}
    if metric.startswith(("tcp.", "udp.")):
        few = few[:3]
        return attributes | {"source.workload.name": dice.choice(few), "dest.workload.name": dice.choice(few)}
    host = dice.choice(["h1", "h2", "H1"])
    attributes |= {"host.name": host, "k8s.node.name": dice.choice([host, host, "n9"])}
    if metric.startswith("k8s."):
        return attributes | {"container.image.name": dice.choice(few), "pod": dice.choice("12")}
    name = dice.choice(few)
    return attributes | {
        "process.pid": dice.choice(["1", "01", "1.0", "4711"]),
        "process.executable.name": name,
        "process.executable.path": dice.choice(["/bin/", "/tmp/"]) + name,
    }


def _times_of_a_sighting(dice: random.Random, now: int) -> list[int]:
    edges = [now - span for span in (30 * DAY, 24 * HOUR, HOUR, 0)]
    at_edges = [edge + off for edge in edges for off in (-SECOND, -1, 0, 1)]
    times: list[int] = []
    for _ in range(dice.choice([1, 1, 2, 3])):
        start = dice.choice([*at_edges, *at_edges, now - dice.randrange(31 * DAY)])
        # One point of a counter is no sighting, two within an hour are.
        gap = dice.choice([20 * SECOND, HOUR, HOUR + 1])
        times += [start, start - gap][: dice.choice([1, 1, 2])]
    return times


PODS = (
    "web-7d9f8b6c5-abcde",
    "web-7d9f8b6c5-fghij",
    "web-7d9f8b6-abcde",
    "web-cache",
    "web-0",
    "a:b-12345",
    "b-12345",
    "kube-proxy",
    "kube-proxy-x_y9z",
    "kube-ü2345",
    "-abcde",
    "it's-abcde",
    "ü\n🐍-abcde",
    "a-abcde-fghij",
    '"\\s$',
)


def some_pods(dice: random.Random, now: int | None = None) -> tuple[int, list[Point]]:
    """``now``, and the traffic of a few pods over a month and in the last hours."""
    now = a_moment(dice) + dice.choice([0, 0, 17, 40]) * SECOND if now is None else now
    points: list[Point] = []
    few = dice.sample(PODS, dice.randint(1, 5))
    for _ in range(dice.randint(2, 6)):
        attributes = {
            "k8s.cluster.name": dice.choice(["c1", "c1", "c2", "c1:a"]),
            "k8s.pod.name": dice.choice(few),
            "k8s.node.name": dice.choice(["n1", "n1", "n2"]),
        }
        month, hour = _times_of_a_month(dice, now), _times_of_an_hour(dice, now)
        for direction in dice.choice(
            [["transmit"], ["receive"], *[["transmit", "receive"]] * 4, ["Transmit"]]
        ):
            whole = {**attributes, "direction": direction, "interface": dice.choice(["eth0", "eth1"])}
            made = series("k8s.pod.network.io", dice.choice(KINDS), **whole)
            made = lacking_one(dice, made, (*attributes, "direction"))
            points += _levelled(dice, made, month, hour)
    return now, sent(dice, points)


def _levelled(dice: random.Random, made: Series, month: list[int], hour: list[int]) -> list[Point]:
    """A month at one level, flat or not, sometimes with zeros, and an hour at another."""
    level = dice.choice([0, dice.randint(0, 50), None, None, None])
    usual = quarters(dice) if level is None else lambda: level
    high = dice.choice([1, 20, 20, 20])
    if dice.random() < 0.1:
        return valued(dice, made, hour, quarters(dice, high))
    return valued(dice, made, month, usual) + valued(dice, made, hour, quarters(dice, high))


def _times_of_a_month(dice: random.Random, now: int) -> list[int]:
    """A few trains of points, at the edges of -30d@d to -1d@d among others."""
    first, end = (now - 30 * DAY) // DAY * DAY, (now - DAY) // DAY * DAY
    starts = [first - 30 * SECOND, first, end - 30 * SECOND, end, first + dice.randrange(end - first)]
    times = [t for start in dice.sample(starts, dice.randint(1, 4)) for t in train(start, dice.randint(1, 8))]
    return times + [edge for edge in (first, first - 1, end - 1, end) if dice.random() < 0.2]


def _times_of_an_hour(dice: random.Random, now: int) -> list[int]:
    """A train of points, at the edges of -70m@m to -10m@m among others."""
    first = (now - 70 * 60 * SECOND) // (60 * SECOND) * 60 * SECOND
    end = first + HOUR
    start = dice.choice([first, first - 20 * SECOND, first + dice.randrange(HOUR), end - 50 * SECOND])
    times = train(start + dice.choice([0, 0, 1, 5 * SECOND]), dice.choice([0, 5, 6, 7, 9, 14]))
    # A counter's first increase is known if there is a point an hour before it, and no more.
    times += [time - HOUR - dice.choice([0, 1]) for time in times[:1] if dice.random() < 0.5]
    return times + [edge for edge in (first, first - 1, end - 1, end) if dice.random() < 0.2]


def train(start: int, count: int) -> list[int]:
    """Times ten seconds apart."""
    return [start + step * 10 * SECOND for step in range(count)]


PROCESS_METRICS = (
    "process.cpu.utilization",
    "process.memory.utilization",
    "process.disk.operations",
    "process.threads",
)
OTHER_METRICS = ("process.cpu.time", "process.it's, odd", "process.", "container.cpu", "system.load")
PROGRAMS = ("nginx", "sh", "bash", "Bash", "tcsh", "dash", "b:c", "it's", "ü\n🐍", "")


def some_processes(dice: random.Random, now: int | None = None) -> tuple[int, list[Point]]:
    """``now``, and the resources of a few processes over a month and in the last hours.

    A host has one node and its own cluster in the past, so that no two rows of a baseline have one key.
    """
    now = a_moment(dice) + dice.choice([0, 0, 17, 40]) * SECOND if now is None else now
    points: list[Point] = []
    metrics = dice.sample(PROCESS_METRICS, dice.choice([2, 3, 4, 4, 4, 4]))
    metrics += dice.sample(OTHER_METRICS, dice.choice([0, 1, 2]))
    few = dice.sample(PROGRAMS, dice.randint(1, 4))
    for _ in range(dice.randint(2, 6)):
        host = dice.choice(["h1", "h1", "h2", "a:b"])
        attributes = {
            "host.name": host,
            "k8s.cluster.name": "c2" if host == "h2" else "c1",
            "k8s.node.name": "n-" + host,
            "process.executable.name": dice.choice(few),
        }
        hour, month = _times_of_an_hour(dice, now), _times_of_a_month(dice, now)
        moved = {"k8s.node.name": "n9"} if dice.random() < 0.2 else {}
        for pid in dice.sample(["1", "01", "7"], dice.choice([1, 1, 2])):
            for metric in dice.sample(metrics, dice.randint(1, len(metrics))):
                whole = {**attributes, "process.pid": pid}
                made = lacking_one(dice, series(metric, dice.choice(KINDS), **whole), tuple(whole))
                points += valued(dice, made, month, _usual_resource(dice))
                now_made = series(metric, made.kind, **{**dict(made.attributes), **moved})
                points += valued(dice, now_made, hour, quarters(dice, dice.choice([1, 20, 20])))
    return now, sent(dice, points)


def _usual_resource(dice: random.Random) -> Callable[[], float]:
    level = dice.choice([0, -3, dice.randint(1, 50), None, None, None])
    return quarters(dice) if level is None else lambda: level
