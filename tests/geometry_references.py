"""What other libraries say about the same matrices, in a process of its own.

geomstats 2.8.0 imports ``numpy.trapz``, which NumPy 2.4 no longer has, chooses its backend at
import, and pulls much else in; geoopt compiles at import with what torch calls deprecated. None of
that may touch the tests' own process, so they call this script with two files, and read the second.
"""

import sys
import warnings

import numpy as np
import numpy.typing as npt

__all__: list[str] = []

Arrays = dict[str, npt.NDArray[np.float64]]


def by_geomstats(given: Arrays) -> Arrays:
    """Distance, logarithm, exponential, transport and mean on projectors."""
    setattr(np, "trapz", np.trapezoid)  # noqa: B010 - linters know that the name is gone
    from geomstats.geometry.grassmannian import Grassmannian
    from geomstats.learning.frechet_mean import FrechetMean

    out: Arrays = {}
    for k in (2, 4):
        a, b = given[f"a{k}"], given[f"b{k}"]
        p, q = a @ a.swapaxes(-1, -2), b @ b.swapaxes(-1, -2)
        space = Grassmannian(a.shape[-2], k)
        metric = space.metric
        way, vector = given[f"way{k}"], given[f"vector{k}"]
        out[f"distance{k}"] = metric.dist(p, q)
        out[f"log{k}"] = metric.log(q, p)
        out[f"exp{k}"] = metric.exp(way, p)
        out[f"transport{k}"] = metric.parallel_transport(vector, p, direction=way)
        near = given[f"near{k}"]
        mean = FrechetMean(space)
        mean.set(epsilon=1e-27, max_iter=200)
        mean.fit(near @ near.swapaxes(-1, -2))
        out[f"mean{k}"] = mean.estimate_
    return out


def by_geoopt(given: Arrays) -> Arrays:
    """Distances of positive definite matrices."""
    import torch
    from geoopt.manifolds import SymmetricPositiveDefinite

    a, b = (torch.from_numpy(given[name]) for name in ("spd_a", "spd_b"))
    return {
        f"geoopt_{metric}": SymmetricPositiveDefinite(default_metric=metric).dist(a, b).numpy()
        for metric in ("AIM", "LEM")
    }


def by_pyriemann(given: Arrays) -> Arrays:
    """Distances and geodesics of positive definite matrices."""
    from pyriemann.geometry.distance import distance_logeuclid, distance_riemann
    from pyriemann.geometry.geodesic import geodesic_logeuclid, geodesic_riemann

    a, b, times = given["spd_a"], given["spd_b"], given["times"]
    return {
        "pyriemann_AIM": distance_riemann(a, b),
        "pyriemann_LEM": distance_logeuclid(a, b),
        "geodesic_AIM": np.stack([geodesic_riemann(a, b, t) for t in times]),
        "geodesic_LEM": np.stack([geodesic_logeuclid(a, b, t) for t in times]),
    }


def main() -> None:
    """Read the first file of arrays, write the second."""
    warnings.simplefilter("ignore")
    given = dict(np.load(sys.argv[1]))
    found = by_geomstats(given) | by_geoopt(given) | by_pyriemann(given)
    np.savez(sys.argv[2], **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
