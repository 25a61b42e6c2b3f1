"""The vibrations of thirteen argon atoms, in an energy that is not ours.

The attraction is the D3 dispersion energy of Grimme and co-workers with rational damping, from the
package tad-dftd3 (`pip install 'ired-interp[examples]'`): coordination numbers, interpolated C6
coefficients, two-body C6 and C8 terms. Dispersion alone has no minimum, so a Born-Mayer repulsion
with round numbers stands beside it; the minimum is therefore not meant to be argon to all digits.

From an icosahedron, `ii.minimise` finds the minimum. Of its 39 eigenvalues six must be 0, three
translations and three rotations, and symmetry makes the others come in threes, fours and fives.
Both are found without being told: the zeros as one cluster that lies within the directions of rigid
motion, whose signs nobody can know, and the multiplets as clusters with an interval each.
"""

import math

import tad_dftd3 as d3
import torch
from torch import Tensor

import ired_interp as ii
from ired_interp.curvature.measures import (
    condition_number_interval,
    participation_ratio_interval,
)

ARGON = 18
NUM_ATOMS = 13
NUM_RIGID = 6
REPULSION, DECAY = 60.0, 1.8  # hartree, 1/bohr
START_RADIUS = 7.0  # bohr
# Of |∇E|, as a share of the Hessian's norm. At a point that is less stationary the rotations are no
# zeros of that point's Hessian: their eigenvalues are of the order of |∇E| over the radius.
TOLERANCE = 1e-15
LOST = 1e-9
MICRO = 1e6
DAMPING = d3.param.get_functional_params("pbe", damping="bj", dtype=torch.float64)


def energy(y: Tensor) -> Tensor:
    """Hartree, for rows of 39 coordinates in bohr."""
    positions = y.view(len(y), NUM_ATOMS, 3)
    numbers = torch.full((len(y), NUM_ATOMS), ARGON)
    attraction: Tensor = d3.dftd3(numbers, positions, DAMPING).sum(-1)
    first, second = torch.triu_indices(NUM_ATOMS, NUM_ATOMS, offset=1)
    distance = torch.linalg.vector_norm(positions[:, first] - positions[:, second], dim=-1)
    repulsion: Tensor = REPULSION * torch.exp(-DECAY * distance)
    return attraction + repulsion.sum(-1)


def icosahedron() -> Tensor:
    """One atom in the middle of twelve."""
    golden = (1 + math.sqrt(5)) / 2
    corners = [[0.0, a, b * golden] for a in (-1.0, 1.0) for b in (-1.0, 1.0)]
    corners = [corner[shift:] + corner[:shift] for corner in corners for shift in range(3)]
    atoms = torch.tensor([[0.0, 0.0, 0.0], *corners], dtype=torch.float64)
    return (atoms * START_RADIUS / math.sqrt(1 + golden**2)).flatten()


def rigid_motions(y: Tensor) -> Tensor:
    """Three translations and three rotations about the origin, as columns."""
    axes = torch.eye(3, dtype=y.dtype)
    moves = [axis.expand(NUM_ATOMS, 3) for axis in axes]
    turns = [torch.linalg.cross(axis.expand(NUM_ATOMS, 3), y.view(-1, 3)) for axis in axes]
    return torch.stack([motion.flatten() for motion in (*moves, *turns)], dim=1)


def main() -> None:
    """Print the clusters of the spectrum at the minimum, each with its interval."""
    land = ii.Landscape.of(energy, dim_y=3 * NUM_ATOMS)
    found = ii.minimise(land, icosahedron()[None], tol=TOLERANCE)
    if not bool(found.converged):
        raise SystemExit(f"expected a minimum, found |∇E| = {float(found.gradient_norm):.1e}")
    spec = ii.curvature.spectrum(land, found.y)
    print(f"energy {float(found.energy):.9f} hartree, |∇E| = {float(found.gradient_norm):.0e}")
    print("\nclusters of eigenvalues, in 10⁻⁶ hartree / bohr²\n  size        centre    within")
    values, radii, clusters = spec.eigenvalues[0], spec.cluster_radii[0], spec.clusters[0]
    for number in range(int(clusters.max()) + 1):
        members = clusters == number
        low, high = (values - radii)[members].min(), (values + radii)[members].max()
        centre, half = float(low + high) / 2 * MICRO, float(high - low) / 2 * MICRO
        print(f"  {int(members.sum()):4d} {round(centre, 6) + 0.0:13.6f}   {half:.1e}")

    share = ii.curvature.alignment(spec, rigid_motions(found.y[0])).share[0, 0]
    lost = 1 - float(share)
    print(f"\nof the first cluster, {lost:.0e} lies outside translations and rotations")
    print(f"negative eigenvalues: {int(spec.index_low)} … {int(spec.index_high)}")
    condition = condition_number_interval(spec)
    print(f"condition number: {float(condition.low):.1e} … {float(condition.high)}")
    directions = participation_ratio_interval(spec)
    print(f"participation ratio: {float(directions.low):.12f} … {float(directions.high):.12f}")

    zeros = clusters == clusters[0]
    if int(zeros.sum()) != NUM_RIGID or float(values[0] - radii[0]) > 0 or abs(lost) > LOST:
        raise SystemExit("expected six zeros, in one cluster, along the rigid motions")


if __name__ == "__main__":
    main()
