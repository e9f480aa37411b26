"""How flat a minimum is: radii and volumes of basins, curvature, margins, for stacked networks.

Nothing here trains. Weights and directions are lists in the order of ``get_weights()`` with leading axes: M networks,
K directions. Volumes are decimal logarithms, because the numbers themselves fit no float. Directions come from
`helpers.landscape.directions`.
"""

from __future__ import annotations

from helpers.geometry._basins import (
    BasinVolume,
    basin_volume,
    crossing_radii,
    gaussian_mass,
    log10_ball,
    quadratic_volume,
)
from helpers.geometry._curvature import (
    gauss_newton_curvatures,
    gauss_newton_diagonal,
    preconditioned,
)
from helpers.geometry._margins import compass, margins

__all__ = [
    "BasinVolume",
    "basin_volume",
    "compass",
    "crossing_radii",
    "gauss_newton_curvatures",
    "gauss_newton_diagonal",
    "gaussian_mass",
    "log10_ball",
    "margins",
    "preconditioned",
    "quadratic_volume",
]
