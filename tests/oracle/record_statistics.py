"""Records reference values of the report's statistics from SciPy and statsmodels.

    pip install numpy scipy statsmodels
    python tests/oracle/record_statistics.py tests/data/reports/statistics.json

Random tables come from a fixed seed, so a second run writes the same file. The bootstrap is
recomputed here with NumPy from the same SplitMix64 stream, so its interval is compared exactly; it
also covers Wilson's of the share of lost samples that came back.
"""

import json
import math
import sys

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import Table, mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

MASK = (1 << 64) - 1


def splitmix64(count):
    """The first `count` numbers of the SplitMix64 stream from seed 0."""
    out, state = [], 0
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        out.append(z ^ (z >> 31))
    return out


def recovered(patterns, resamples=2000, tail=50):
    samples = [p for p in range(8) for _ in range(patterns[p])]
    lost = np.array([(p >> 2 & 1) - (p >> 1 & 1) for p in samples])
    back = np.array([(p & 1) - (p >> 1 & 1) for p in samples])
    n = len(samples)
    if lost.sum() <= 0:
        return None
    draws = np.array([x * n >> 64 for x in splitmix64(resamples * n)]).reshape(resamples, n)
    fractions = []
    for row in draws:
        down, up = int(lost[row].sum()), int(back[row].sum())
        fractions.append(up / down if down > 0 else math.copysign(math.inf, up))
    fractions.sort()
    low, high = proportion_confint(patterns[5], patterns[4] + patterns[5], method="wilson")
    ends = [min(fractions[tail], float(low)), max(fractions[resamples - 1 - tail], float(high))]
    return [back.sum() / lost.sum()] + [e if math.isfinite(e) else None for e in ends]


def power(n, loss, gain, alpha):
    """Power of the one-sided exact McNemar test, summed over the number of discordant pairs."""
    m = np.arange(n + 1)
    weight = stats.binom.pmf(m, n, loss + gain)
    critical = np.zeros(n + 1)
    for i in m:
        k = np.arange(i + 2)
        critical[i] = k[stats.binom.sf(k - 1, i, 0.5) <= alpha][0]
    return float(np.sum(weight * stats.binom.sf(critical - 1, m, loss / (loss + gain))))


def detectable(n, alpha, target, gain):
    top = 1 - 2 * gain
    if power(n, top + gain, gain, alpha) < target:
        return None
    # Near the top of the range the power is flat, so the root lies well inside.
    return optimize.brentq(lambda d: power(n, d + gain, gain, alpha) - target, 1e-9, top,
                           xtol=1e-13, rtol=1e-14)


def main(path):
    rng = np.random.default_rng(20260611)
    out = {"wilson": [], "mcnemar": [], "holm": [], "trend": [], "power": [], "detectable": [],
           "recovered": [], "mean_change": []}
    for _ in range(400):
        n = int(rng.integers(1, 600))
        hits = int(rng.choice([0, n, rng.integers(0, n + 1)]))
        confidence = float(rng.choice([0.9, 0.95, 0.99]))
        low, high = proportion_confint(hits, n, alpha=1 - confidence, method="wilson")
        out["wilson"].append([hits, n, confidence, float(low), float(high)])
    for _ in range(400):
        b, c = (int(x) for x in rng.integers(0, int(rng.choice([3, 12, 90])), 2))
        two = float(mcnemar([[0, b], [c, 0]], exact=True).pvalue) if b + c else 1.0
        one = float(stats.binomtest(b, b + c, alternative="greater").pvalue) if b + c else 1.0
        out["mcnemar"].append([b, c, two, one])
    for _ in range(20):
        p = np.round(rng.random(int(rng.integers(1, 15))) ** 3, 6)
        out["holm"].append([p.tolist(), multipletests(p, method="holm")[1].tolist()])
    for _ in range(200):
        doses = np.sort(rng.choice(100, int(rng.integers(2, 9)), replace=False)).astype(float)
        n = rng.integers(1, 200, doses.size)
        hits = rng.binomial(n, rng.random(doses.size))
        if hits.sum() in (0, n.sum()):
            hits[0] = 1 if hits.sum() == 0 else n[0] - 1
        test = Table(np.c_[hits, n - hits], shift_zeros=False).test_ordinal_association(
            row_scores=doses, col_scores=np.array([1.0, 0.0]))
        # statsmodels uses the permutation variance, with N - 1; Armitage (and R's prop.trend.test)
        # uses N.
        z = float(test.zscore) * math.sqrt(n.sum() / (n.sum() - 1))
        out["trend"].append([doses.tolist(), hits.tolist(), n.tolist(), z,
                             float(2 * stats.norm.sf(abs(z)))])
    for _ in range(20):
        n = int(rng.integers(5, 300))
        loss, gain = float(round(rng.random() * 0.5 + 0.01, 4)), float(round(rng.random() * 0.2, 4))
        alpha = float(rng.choice([0.05, 0.01, 0.001]))
        out["power"].append([n, loss, gain, alpha, power(n, loss, gain, alpha)])
    for n, alpha, gain in [(2, .05, 0), (5, .05, 0), (10, .05, 0), (25, .05, 0), (25, .001, 0),
                           (50, .05, .02), (100, .05, 0), (100, .01, .05), (500, .05, 0),
                           (500, .0001, 0)]:
        out["detectable"].append([n, alpha, 0.8, gain, detectable(n, alpha, 0.8, gain)])
    for _ in range(12):
        patterns = [int(x) for x in rng.multinomial(int(rng.choice([12, 25, 60])),
                                                    [.05, .02, .03, .02, .2, .4, .08, .2])]
        out["recovered"].append([patterns, recovered(patterns)])
    for _ in range(60):
        values = np.round(rng.normal(rng.normal(), 2, int(rng.integers(2, 120))), 6)
        confidence = float(rng.choice([0.9, 0.95, 0.9999]))
        interval = stats.t.interval(confidence, values.size - 1, loc=values.mean(),
                                    scale=stats.sem(values))
        out["mean_change"].append([values.tolist(), confidence, float(values.mean()),
                                   float(interval[0]), float(interval[1])])
    with open(path, "w", encoding="ascii") as file:
        rows = [f' "{key}": [\n  ' + ",\n  ".join(json.dumps(row) for row in value) + "\n ]"
                for key, value in out.items()]
        file.write("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1])
