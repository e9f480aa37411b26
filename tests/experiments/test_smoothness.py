"""Smoothness and simplicity: rulers with a known zero, comparisons at one training error."""

import numpy as np
import pytest

from helpers.experiments import simplicity, smoothness

GRID = np.linspace(0, smoothness.HIGH, smoothness.GRID)


def test_a_straight_line_has_no_bends_and_a_level_one_no_variation():
    flat = smoothness.measured(np.full(smoothness.GRID, 1.0), 0.0)
    assert flat["variation"] == flat["bends"] == flat["excess"] == 0
    line = smoothness.measured(1 + 2 * GRID, 2.0)
    assert (
        np.isclose(line["variation"], 20) and abs(line["bends"]) < 1e-9 and line["excess"] < 1e-12
    )


def test_a_roof_bends_by_the_change_of_its_slope():
    found = smoothness.measured(3 * np.abs(GRID - 5), 0.0)
    assert np.isclose(found["bends"], 6) and np.isclose(found["variation"], 30)


def test_measures_are_read_where_the_training_error_is_first_reached():
    losses = np.array([[8.0, 4, 2, 3], [8.0, 2, 4, 1]])
    values = np.exp([[0.0, 1, 3, 9], [0.0, 1, 3, 9]])
    found = np.log(smoothness.at_loss(losses, values, np.array([3.0, 4.0])))
    assert np.allclose(found, [2, 2 / 3])  # half way from 4 to 2, two thirds of the way from 8 to 2


def test_the_spline_has_the_training_error_that_it_was_asked_for():
    one = smoothness.draw(1000)
    curve = smoothness.smoothest(one, 3.0)
    at = np.interp(one.x_train[:, 0], GRID, curve)
    assert abs(np.mean((at - one.y_train[:, 0]) ** 2) - 3.0) < 0.05


def test_a_start_from_unit_normal_kernels_does_not_depend_on_how_many_there_are():
    few, more = (smoothness.unit_normal(1000, n, (30, 30)) for n in (2, 3))
    assert all(np.array_equal(a, b[:2]) for a, b in zip(few, more, strict=True))
    assert abs(few[2].std() - 1) < 0.05 and not few[1].any()


def roof():
    """Return a network whose curve is 3 |x - 5.005|, made by two of its three units, the second layer handing it on."""
    first = np.array([[1.0, -1.0, 1.0]]), np.array([-5.005, 5.005, 1.0])
    second = np.array([[3.0], [3.0], [0.0]]), np.zeros(1)
    return [*first, *second, np.ones((1, 1)), np.zeros(1)]


def test_pieces_are_counted():
    assert simplicity.pieces(roof()) == 2
    ramp = [*roof()[:4], -np.ones((1, 1)), np.zeros(1)]
    ramp[3] = np.array([-3.003])  # the second layer switches where the roof is 3 high: two more
    assert simplicity.pieces(ramp) == 4


def test_units_that_do_nothing_are_not_needed():
    x = GRID[::10, None]
    y = 3 * np.abs(x - 5.005)
    assert simplicity.units_needed(roof(), x, y) == 3
    assert simplicity.units_needed(roof(), x, y, cost=1e6) == 0


@pytest.mark.parametrize("silent", [[0], [2], [0, 2], [3]])
def test_the_error_without_units_is_that_of_the_network_without_their_weights(silent):
    keep = np.ones((1, 4))
    keep[0, silent] = 0
    own = roof()
    for unit in silent:
        place, row = (2, unit) if unit < 3 else (4, unit - 3)
        own[place] = own[place].copy()
        own[place][row] = 0
    x = GRID[::10, None]
    wanted = simplicity.errors_without(own, x, np.zeros_like(x), np.ones((1, 4)))
    np.testing.assert_allclose(simplicity.errors_without(roof(), x, np.zeros_like(x), keep), wanted)
