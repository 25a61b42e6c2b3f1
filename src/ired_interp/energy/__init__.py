"""Energies E(x, y, t): networks, closed forms, and any function by autograd."""
