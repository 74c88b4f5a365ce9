"""The six residuals of one metric, point by point, written from the formulas of the method alone."""

from __future__ import annotations

from datetime import UTC, datetime
from math import exp, log, sqrt

DAY = 86400.0


def _clip(d: float, s: float, count: int) -> float:
    return max(-5 * s, min(5 * s, d)) if count > 20 else d


class Oracle:
    def __init__(self, step: float) -> None:
        def a(half):
            return 1 - 2 ** (-step / half)

        self.aq, self.ah = min(0.5, a(900)), min(0.5, a(3600))
        self.ad, self.aw = a(DAY), a(7 * DAY)
        self.each_hour = min(1.0, step / 3600)
        self.moves, self.move, self.hours = 0, 0.0, set()
        self.c = self.cs = 0
        self.along = [min(0.5, a(300)), min(0.5, a(7200))]
        self.long, self.vlong = [0.0, 0.0], [0.0, 0.0]
        self.vg = self.vh = self.vq = self.vd = self.vs = self.ve = self.lev = 0.0
        self.bins: dict[tuple[bool, int], tuple[float, int]] = {}
        self.bin, self.inside = None, []

    def point(self, t: float, v: float) -> list[float]:
        self.c += 1
        if self.c == 1:
            self.mg = self.mh = self.mq = self.x = v
        c = self.c
        f = max(0.1 * sqrt(self.vg), 1e-3 * abs(self.mg), 1e-9, self._usual_move())
        if v != self.x:
            self.moves += 1
            self.move += max(self.aw, 1 / self.moves) * (log(abs(v - self.x)) - self.move)
            self.hours.add(int(t // 3600))
        z = []
        usual = self.mg

        s = wide = most = max(sqrt(self.vg), f)
        d = v - self.mg
        back = c > 20 and abs(d) <= 5 * s
        z.append(d / s)
        d = _clip(d, s, c)
        a = max(self.aw, 1 / c)
        self.mg += a * d
        self.vg = (1 - a) * (self.vg + a * d * d)

        s = sqrt(self.vh + f * f)
        d = v - self.mh
        z.append(d / s)
        d = _clip(d, s, c)
        a = max(self.ad, 1 / c)
        self.vh = (1 - a) * self.vh + a * d * d
        self.mh += max(self.ah, 1 / c) * d

        a = max(self.aw, 1 / c)
        s = sqrt(self.vq + f * f / 4)
        d = v - self.mq
        z.append(d / s)
        self.vq = (1 - a) * self.vq + a * _clip(d, s, c) ** 2
        self.mq += max(self.aq, 1 / c) * (v - self.mq)
        if back:
            self.mq = self.mg + self._near(self.mq - self.mg, most)

        s = sqrt(self.vd + f * f / 4)
        d = v - self.x
        z.append(d / s)
        self.vd = (1 - a) * self.vd + a * _clip(d, s, c) ** 2
        self.x = v
        if c <= 5:
            z = [0.0] * 4
        z.append(self._seasonal(t, v, f))
        mean, n = self._expected(t)
        if n >= 2:
            usual, wide = mean, sqrt(self.vs + f * f)
        off = v - usual
        off = max(-15 * wide, min(15 * wide, off)) if c > 20 else off
        return [*z, *(self._sustained(place, off, f) for place in (0, 1))]

    def _sustained(self, place: int, off: float, f: float) -> float:
        self.long[place] += max(self.along[place], 1 / self.c) * (off - self.long[place])
        s = sqrt(self.vlong[place] + f * f / 4)
        a = max(self.aw, 1 / self.c)
        self.vlong[place] = (1 - a) * self.vlong[place] + a * _clip(self.long[place], s, self.c) ** 2
        z = self.long[place] / s
        if self.c > 20 and abs(off) <= 5 * s:
            self.long[place] = self._near(self.long[place], s)
        return z if self.c > 20 else 0.0

    def _near(self, off: float, scale: float) -> float:
        """How far off a mean of the last minutes may be where values are back: 8 deviations or moves."""
        most = 8 * max(scale, exp(self.move))
        return max(-most, min(most, off))

    def _usual_move(self) -> float:
        """Half of the geometric mean move, where more than one hour in ten has one, and four at the least."""
        share = len(self.hours) / max(self.c * self.each_hour, 1.0)
        if len(self.hours) < 4 or share <= 0.05:
            return 0.0
        return 0.5 * min(1.0, (share - 0.05) / 0.1) * exp(self.move)

    def _bin(self, t: float) -> tuple[bool, int]:
        return datetime.fromtimestamp(t, UTC).weekday() >= 5, int(t % DAY // 900)

    def _expected(self, t: float) -> tuple[float, int]:
        """Return mean and count of the bin, or of that of the other kind of days if it was not seen twice."""
        weekend, b = self._bin(t)
        own, other = (self.bins.get((kind, b), (0.0, 0)) for kind in (weekend, not weekend))
        return own if own[1] >= 2 else other

    def _seasonal(self, t: float, v: float, f: float) -> float:
        b = self._bin(t)
        if b != self.bin:
            if self.inside:
                mean, n = self.bins.get(self.bin, (0.0, 0))
                n += 1
                mean += max(0.2, 1 / n) * (sum(self.inside) / len(self.inside) - mean)
                self.bins[self.bin] = mean, n
            self.bin, self.inside = b, []
        mean, n = self._expected(t)
        if n < 2:
            self.inside.append(v)
            return 0.0
        self.cs += 1
        c = self.cs
        a = max(self.aw, 1 / c)
        d0 = v - mean
        d = _clip(d0, sqrt(self.vs + f * f), c)
        self.vs = (1 - a) * self.vs + a * d * d
        s = sqrt(self.ve + f * f)
        d -= self.lev
        z = d / s
        d = _clip(d, s, c)
        a = max(self.ad, 1 / c)
        self.ve = (1 - a) * self.ve + a * d * d
        self.lev += max(self.ah, 1 / c) * d
        s = sqrt(self.vs + f * f)
        own = self.bins.get(b, (0.0, 0))[1] >= 2
        self.inside.append(mean + max(-5 * s, min(5 * s, d0)) if own else v)
        return z if c > 20 else 0.0
