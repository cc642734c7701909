import numpy as np
import pytest
import torch
from scipy.integrate import quad

from galprism.errors import RequestError
from galprism.sps.histories import (
    Burst,
    Changed,
    Composite,
    Constant,
    DelayedTau,
    Exponential,
    Tabulated,
    bin_weights,
    bursts,
    mean_sfr,
    with_burst,
)


def t(*values):
    return torch.tensor(values, dtype=torch.float64)


EDGES = torch.cat([t(0.0), torch.logspace(-4, np.log10(14.0), 150, dtype=torch.float64)])

HISTORIES = {
    "delayed": DelayedTau(t(0.25, 1.0, 8.0), t(10.0, 3.0, 0.25)),
    "exponential": Exponential(t(0.5, 3.0, -2.0), t(10.0, 1.0, 5.0)),
    "constant": Constant(t(0.1, 5.0, 13.0), t(0.0, 1.0, 0.0)),
    "tabulated": Tabulated(
        t(0.0, 0.1, 1.0, 12.0).expand(3, 4), torch.stack([t(1.0, 0.0, 2.0), t(0.0, 5.0, 0.1), t(3.0, 3.0, 3.0)])
    ),
    "burst": Burst(t(0.01, 1.0, 10.0), t(0.005, 0.01, 1.0)),
    "bursts": bursts(
        torch.stack([t(0.1, 1.0, 5.0), t(3.0, 9.0, 11.0)], 1), torch.stack([t(0.2, 0.5, 1.0), t(0.8, 0.5, 0.0)], 1)
    ),
    "cut short and revived": Changed(
        DelayedTau(t(0.5, 2.0, 6.0), t(9.0, 5.0, 1.0)), t(1.0, 0.3, 0.02), t(0.01, 0.5, 8.0)
    ),
    "delayed with a burst": with_burst(
        DelayedTau(t(1.0, 3.0, 8.0), t(9.0, 5.0, 1.0)), t(0.0, 0.1, 0.5), t(0.05, 0.1, 5.0), t(0.1, 0.02, 0.3)
    ),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_every_history_forms_one_solar_mass(name):
    history = HISTORIES[name]
    weights = bin_weights(history, EDGES)
    assert weights.shape == (3, 150)
    assert torch.all(weights >= -1e-12)
    torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-11)
    older = EDGES[None, :-1] > history.oldest()[:, None]
    assert torch.all(weights[older].abs() < 1e-12)


@pytest.mark.parametrize("name", HISTORIES)
def test_the_rate_now_is_the_slope_of_the_mass_formed(name):
    history = HISTORIES[name]
    recent = mean_sfr(history, 1e-6)
    torch.testing.assert_close(recent, history.sfr(), rtol=1e-3, atol=1e-14)


@pytest.mark.parametrize("name", HISTORIES)
def test_rows_are_taken_together(name):
    history = HISTORIES[name]
    some = history.take(torch.tensor([2, 0]))
    assert len(some) == 2
    torch.testing.assert_close(some.younger(EDGES), history.younger(EDGES)[[2, 0]])
    torch.testing.assert_close(history.take(slice(1, 3)).sfr(), history.sfr()[1:])


@pytest.mark.parametrize(("tau", "age"), [(0.25, 12.0), (2.0, 5.0), (8.0, 0.25), (20.0, 0.05)])
def test_delayed_against_quadrature(tau, age):
    def rate(lookback):
        return (age - lookback) * np.exp(-(age - lookback) / tau)

    total = quad(rate, 0.0, age, epsabs=0, epsrel=1e-12)[0]
    history = DelayedTau(t(tau), t(age))
    for young in (1e-3, 0.02, 0.4 * age, 0.9 * age):
        expected = quad(rate, 0.0, young, epsabs=0, epsrel=1e-12)[0] / total
        assert history.younger(t(young)).item() == pytest.approx(expected, rel=1e-9)
    assert history.sfr().item() == pytest.approx(rate(0.0) / total / 1e9, rel=1e-9)


def test_limits_of_the_delayed_history():
    """Much longer than its age, tau leaves SFR ~ t; much shorter, a burst one age ago."""
    rising = DelayedTau(t(1e4), t(2.0))
    assert rising.younger(t(1.0)).item() == pytest.approx(0.75, abs=1e-3)
    old = DelayedTau(t(1e-3), t(2.0))
    assert old.younger(t(1.9)).item() == pytest.approx(0.0, abs=1e-12)


def test_exponential_against_quadrature():
    for tau, age in ((0.5, 3.0), (-1.0, 3.0)):
        total = quad(lambda b: np.exp(-(age - b) / tau), 0, age)[0]  # noqa: B023
        young = quad(lambda b: np.exp(-(age - b) / tau), 0, 0.7)[0]  # noqa: B023
        assert Exponential(t(tau), t(age)).younger(t(0.7)).item() == pytest.approx(young / total, rel=1e-9)


def test_a_constant_rate_may_be_told_as_a_table():
    constant = Constant(t(5.0), t(1.0))
    table = Tabulated(t(1.0, 2.5, 5.0)[None], t(2.0, 2.0)[None])
    torch.testing.assert_close(table.younger(EDGES), constant.younger(EDGES))
    torch.testing.assert_close(table.sfr(), constant.sfr())


def test_rates_are_averaged_over_what_they_say():
    constant = Constant(t(0.05), t(0.0))
    assert mean_sfr(constant, 0.01).item() == pytest.approx(1.0 / 0.05e9)
    assert mean_sfr(constant, 0.1).item() == pytest.approx(1.0 / 0.1e9)  # all the mass, over 100 Myr


def test_burst_share_is_cigales():
    """CIGALE: the burst forms f of all the stars, f / (1 - f) times those of the main history."""
    main = DelayedTau(t(2.0), t(8.0))
    burst = with_burst(DelayedTau(t(2.0), t(8.0)), t(0.2), t(0.05), t(0.02))
    older = 1.0 - burst.younger(t(0.02))
    torch.testing.assert_close(older, 0.8 * (1.0 - main.younger(t(0.02))))
    by_hand = 0.8 * main.sfr() + 0.2 * Exponential(t(0.05), t(0.02)).sfr()
    torch.testing.assert_close(burst.sfr(), by_hand)


@pytest.mark.parametrize("factor", [0.0, 0.2, 1.0, 5.0])
def test_a_change_against_quadrature(factor):
    tau, age, since = 2.0, 7.0, 0.6

    def rate(lookback):
        return (age - lookback) * np.exp(-(age - lookback) / tau) * (factor if lookback < since else 1.0)

    def formed(young):
        return quad(rate, 0.0, young, points=[min(since, young)], epsabs=0, epsrel=1e-11)[0]

    history = Changed(DelayedTau(t(tau), t(age)), t(since), t(factor))
    for young in (0.1, 0.6, 1.5, 6.9):
        assert history.younger(t(young)).item() == pytest.approx(formed(young) / formed(age), rel=1e-8, abs=1e-12)
    assert history.sfr().item() == pytest.approx(rate(0.0) / formed(age) / 1e9, rel=1e-8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DelayedTau(t(1.0, -1.0), t(1.0, 1.0)), "tau = -1"),
        (lambda: DelayedTau(t(1.0), t(0.0)), "age = 0"),
        (lambda: Exponential(t(0.0), t(1.0)), "tau = 0"),
        (lambda: Constant(t(1.0), t(2.0)), "start - stop = -1"),
        (lambda: Constant(t(1.0), t(-0.5)), "stop = -0.5"),
        (lambda: Burst(t(1.0), t(0.0)), "burst width = 0"),
        (lambda: Tabulated(t(0.0, 1.0)[None], t(1.0, 2.0)[None]), r"edges \(1, 2\) and rates \(1, 2\)"),
        (lambda: Tabulated(t(0.0, 1.0, 1.0)[None], t(1.0, 2.0)[None]), "a step between edges = 0"),
        (lambda: Tabulated(t(0.0, 1.0, 2.0)[None], t(1.0, -2.0)[None]), "a rate = -2"),
        (lambda: Tabulated(t(0.0, 1.0, 2.0)[None], t(0.0, 0.0)[None]), "the mass formed = 0"),
        (lambda: with_burst(DelayedTau(t(1.0), t(1.0)), t(1.0), t(1.0), t(1.0)), "f_burst from 1 to 1"),
        (lambda: Changed(DelayedTau(t(1.0), t(1.0)), t(0.0), t(1.0)), "the time since a change = 0"),
        (lambda: Changed(DelayedTau(t(1.0), t(1.0)), t(0.5), t(-1.0)), "the factor of a change = -1"),
        (lambda: Changed(DelayedTau(t(1.0), t(1.0)), t(2.0), t(0.0)), "the mass formed = 0"),
        (lambda: Composite([DelayedTau(t(1.0), t(1.0))], t(0.5)[None]), "sum to one"),
        (lambda: Composite([DelayedTau(t(1.0), t(1.0))], t(0.5, 0.5)[None]), r"shares of shape \(1, 2\)"),
    ],
)
def test_bad_histories_are_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()
