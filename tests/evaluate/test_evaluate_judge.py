"""The same rows for every method, cuts that say their name, and the limit as a limit."""

from dataclasses import replace

import numpy as np
import pytest
from planted_sky import PRIOR_SIGMA, emptied, planted, shuffled
from scipy import stats

from galprism.data import Sources
from galprism.errors import RequestError
from galprism.evaluate import STAR_FORMING, UNFLAGGED, Sample, Selection, judge, match, point_metrics, rms_ratio
from galprism.evaluate.report import strict
from galprism.flags import Flag


def record(judgement, parameter, sample, method, among="metrics"):
    (found,) = (
        r
        for r in judgement.numbers()[among]
        if (r["parameter"], r["sample"], r["method"]) == (parameter, sample, method)
    )
    return found


@pytest.fixture(scope="module")
def whole(sky):
    everyone = {"network": sky.network, "grid": sky.grid, "posterior": sky.posterior}
    return judge(everyone, sky.truth, sky.sources, limit="posterior")


def test_the_limit_is_recovered(whole):
    """The network adds scatter of half the posterior's sigma: its rms is sqrt(1.25) of the limit's, by construction."""
    for parameter in ("logmstar", "logsfr"):
        found = record(whole, parameter, "all", "network")
        if parameter == "logmstar":
            assert found["rms_over_limit"] == pytest.approx(np.sqrt(1.25), abs=4 * found["rms_over_limit_err"])
        limit = record(whole, parameter, "all", "posterior")
        assert (limit["rms_over_limit"], limit["rms_over_limit_err"]) == (1.0, None)
        assert record(whole, parameter, "all", "grid")["rms_over_limit"] > 1


def test_the_limits_rms_is_the_posterior_sigma(sky, whole):
    noise = 0.05 + 0.02 * (whole.matched.quantity("mag_r") - 18)
    sigma2 = 1 / (1 / PRIOR_SIGMA[0] ** 2 + 1 / noise**2)
    found = record(whole, "logmstar", "all", "posterior")
    assert found["rms"] == pytest.approx(np.sqrt(sigma2.mean()), abs=4 * found["rms_err"])


def test_planted_calibration_is_recovered(whole):
    verdicts = {m: record(whole, "logmstar", "all", m)["calibration"]["verdict"] for m in whole.methods}
    assert verdicts == {"network": "as stated", "grid": "too narrow", "posterior": "as stated"}


def test_star_formation_rates_are_cut_by_the_truth(sky, whole):
    logssfr = sky.truth.column("logsfr") - sky.truth.column("logmstar")
    cut = record(whole, "logsfr", "log sSFR > -12", "grid")
    assert cut["n"] == np.sum(logssfr > -12) < 6000
    assert record(whole, "logsfr", "all", "grid")["n"] == 6000
    assert {r["sample"] for r in whole.numbers()["metrics"] if r["parameter"] == "logmstar"} == {"all"}
    described = next(s for s in whole.numbers()["samples"] if s["sample"] == "log sSFR > -12")
    assert described["selections"][0]["low"] == -12


def test_shuffled_tables_give_the_same_numbers(small):
    tables = {"network": small.network, "grid": small.grid}
    first = judge(tables, small.truth, small.sources).numbers()
    mixed = {name: shuffled(table, i) for i, (name, table) in enumerate(tables.items())}
    assert judge(mixed, shuffled(small.truth, 8), shuffled(small.sources, 9)).numbers() == first


def test_every_method_is_judged_on_the_rows_that_all_inferred(small):
    grid = emptied(small.grid, slice(0, 30))
    found = judge({"network": small.network, "grid": grid}, small.truth)
    network, grid_record = (record(found, "logmstar", "all", name) for name in ("network", "grid"))
    assert network["n"] == grid_record["n"] == 90
    assert (network["not_inferred"], grid_record["not_inferred"]) == (0.0, 0.25)
    expected = point_metrics(small.network.point[30:, 0], small.truth.values[30:, 0], outlier=0.3)
    assert network["sigma"] == pytest.approx(expected.sigma)


def test_a_method_that_inferred_nothing_does_not_take_the_others_rows(small):
    nothing = emptied(small.grid, slice(None))
    found = judge({"network": small.network, "grid": nothing}, small.truth, small.sources)
    assert record(found, "logmstar", "all", "network")["n"] == 120
    empty = record(found, "logmstar", "all", "grid")
    assert (empty["n"], empty["not_inferred"], empty["rms"], empty["r2"]) == (0, 1.0, None, None)
    assert "calibration" not in empty


def test_a_limit_on_fewer_sources_is_set_beside_the_same_sources(small):
    limit = small.posterior.take(np.arange(40))
    found = judge({"network": small.network, "exact": limit}, small.truth, limit="exact")
    assert record(found, "logmstar", "all", "network")["n"] == 120
    assert "rms_over_limit" not in record(found, "logmstar", "all", "network")
    beside = record(found, "logmstar", "all; sources with exact", "network")
    assert beside["n"] == 40
    residual = {name: (small.network if name == "n" else small.posterior).point[:40, 0] for name in "np"}
    ratio, _ = rms_ratio(residual["n"] - small.truth.values[:40, 0], residual["p"] - small.truth.values[:40, 0])
    assert beside["rms_over_limit"] == pytest.approx(ratio)
    assert found.numbers()["rows"]["common_with_limit"] == 40
    assert found.sample("logmstar").n == 120
    assert found.sample("logmstar", with_limit=True).n == 40
    assert found.sample("age_mw") is None


def test_a_limit_that_inferred_nothing_gives_no_ratio(small):
    limit = emptied(small.posterior, slice(None))
    found = judge({"network": small.network, "exact": limit}, small.truth, limit="exact")
    assert "rms_over_limit" not in record(found, "logmstar", "all", "network")


def test_the_limit_may_be_judged_alone(small):
    found = judge({"exact": small.posterior}, small.truth, limit="exact")
    assert record(found, "logmstar", "all", "exact")["n"] == 120


def test_unknown_truths_are_left_out_and_said(small):
    values = small.truth.values.copy()
    values[:20, 0] = np.nan
    found = judge({"network": small.network}, replace(small.truth, values=values))
    assert record(found, "logmstar", "all", "network")["n"] == 100
    assert "The truth has no logmstar for 20 of 120 sources; they are left out." in found.notes


def test_a_truth_of_nan_alone_gives_nulls(small):
    found = judge({"network": small.network}, replace(small.truth, values=np.full((120, 2), np.nan)), small.sources)
    empty = record(found, "logmstar", "all", "network")
    assert (empty["n"], empty["not_inferred"], empty["sigma"]) == (0, None, None)


def test_a_constant_truth_has_no_r2(small):
    found = judge({"network": small.network}, replace(small.truth, values=np.full((120, 2), 10.0)))
    assert record(found, "logmstar", "all", "network")["r2"] is None


def test_weights_of_the_truth_are_not_used_in_silence(small):
    found = judge({"network": small.network}, replace(small.truth, weight=np.ones(120)))
    assert "The truth's weights are not used: every source counts once." in found.notes


def test_bins_add_up(whole):
    bins = [b for b in whole.numbers()["bins"] if (b["parameter"], b["method"]) == ("logmstar", "grid")]
    assert {b["by"] for b in bins} == {"redshift", "mag_r", "snr_r"}
    for by in ("redshift", "mag_r", "snr_r"):
        mine = [b for b in bins if b["by"] == by]
        assert sum(b["n"] for b in mine) == 6000
        assert np.average([b["mse"] for b in mine], weights=[b["n"] for b in mine]) == pytest.approx(
            record(whole, "logmstar", "all", "grid")["mse"]
        )
    faint = [b for b in bins if b["by"] == "mag_r"]
    noise = [0.05 + 0.02 * (b["median"] - 18) for b in faint]  # the grid fit reports the measurement itself
    assert np.allclose([b["sigma"] for b in faint], noise, rtol=0.12)


def test_unflagged_leaves_out_what_anyone_doubts(small):
    flags = small.grid.flags.copy()
    flags[:10] = Flag.POOR_FIT
    flags[10:20] = Flag.BAND_MISSING  # no doubt
    grid = replace(small.grid, flags=flags)
    read = small.sources.flagged(Flag.FLUX_IMPLAUSIBLE, np.arange(120) == 119)
    found = judge({"network": small.network, "grid": grid}, small.truth, read, selections=[UNFLAGGED])
    assert record(found, "logmstar", "unflagged", "network")["n"] == 109
    pair = record(found, "logmstar", "unflagged", "network", "pairs")
    assert (pair["reference"], pair["n"]) == ("grid", 109)
    assert found.numbers()["flags"]["grid"] == {"BAND_MISSING": 10, "POOR_FIT": 10}


def test_selections_apply_together_and_carry_their_names(small):
    bright = Selection("r < 22", "mag_r", high=22)
    found = judge({"network": small.network}, small.truth, small.sources, selections=[STAR_FORMING, bright])
    label = "log sSFR > -12, r < 22"
    mag = small.sources.photometry.flux[:, 1]
    logssfr = small.truth.values[:, 1] - small.truth.values[:, 0]
    expected = np.sum((logssfr > -12) & (31.4 - 2.5 * np.log10(mag) < 22))
    assert record(found, "logsfr", label, "network")["n"] == expected
    assert record(found, "logmstar", "r < 22", "network")["n"] > expected


def test_a_selection_on_what_is_not_there_is_refused(small):
    with pytest.raises(RequestError, match=r"'z < 1' needs redshift"):
        judge({"network": small.network}, small.truth, selections=[Selection("z < 1", "redshift", high=1)])


def test_without_masses_the_rates_are_not_cut_and_that_is_said(small):
    rates = replace(small.truth, names=("logsfr",), values=small.truth.values[:, 1:])
    found = judge({"network": small.network}, rates)
    assert any("logsfr is judged without a cut" in note for note in found.notes)
    assert any(note.startswith("logmstar was predicted and is not judged") for note in found.notes)
    assert found.parameters == ("logsfr",)


def test_methods_against_each_other_without_a_truth(small):
    found = judge({"network": small.network, "grid": small.grid, "exact": small.posterior}, limit="exact")
    assert found.entries == ()
    pairs = {(e.method, e.sample.reference) for e in found.pairs}
    assert pairs == {("network", "grid"), ("network", "exact"), ("grid", "exact")}
    order = np.argsort(small.network.id)
    difference = (small.network.point - small.grid.point)[order, 0]
    pair = next(e for e in found.pairs if e.sample.reference == "grid" and e.sample.parameter == "logmstar")
    assert pair.metrics.bias == pytest.approx(difference.mean())
    assert pair.metrics.sigma == pytest.approx(difference.std())


def test_without_a_truth_the_reference_cuts_the_rates(small):
    found = judge({"network": small.network, "grid": small.grid})
    grid = small.grid.column("logsfr") - small.grid.column("logmstar")
    assert record(found, "logsfr", "log sSFR > -12", "network", "pairs")["n"] == np.sum(grid > -12)


def test_the_limit_is_the_reference_even_when_it_is_named_first(small):
    found = judge({"exact": small.posterior, "network": small.network}, limit="exact")
    assert {(e.method, e.sample.reference) for e in found.pairs} == {("network", "exact")}


def test_one_parameter_of_a_method_that_lacks_the_other(small):
    masses = replace(
        small.grid, names=("logmstar",), point=small.grid.point[:, :1], quantiles=small.grid.quantiles[:, :1]
    )
    found = judge({"network": small.network, "grid": masses}, small.truth)
    assert {e.method for e in found.entries if e.sample.parameter == "logsfr"} == {"network"}
    alone = judge({"network": small.network, "grid": masses})
    assert alone.parameters == ("logmstar",)
    assert "logsfr was predicted and is not judged: only one method has it." in alone.notes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": "exact"}, "limit 'exact' is not among the predictions: network"),
        ({"parameters": ["age_mw"]}, "no prediction has age_mw"),
        ({"band": "Ks"}, "no band 'Ks'; the photometry has g, r"),
    ],
)
def test_wrong_requests(small, options, message):
    with pytest.raises(RequestError, match=message):
        judge({"network": small.network}, small.truth, small.sources, **options)


def test_a_parameter_that_the_truth_lacks(small):
    masses = replace(small.truth, names=("logmstar",), values=small.truth.values[:, :1])
    with pytest.raises(RequestError, match="the truth has no logsfr; it has logmstar"):
        judge({"network": small.network}, masses, parameters=["logsfr"])
    ages = replace(masses, names=("age_mw",))
    with pytest.raises(RequestError, match=r"nothing can be judged: the predictions have logmstar, logsfr.*age_mw"):
        judge({"network": small.network}, ages)


def test_a_band_without_photometry_and_one_method_without_a_truth(small):
    with pytest.raises(RequestError, match="there is no photometry"):
        judge({"network": small.network}, small.truth, band="r")
    with pytest.raises(RequestError, match="two predictions or more"):
        judge({"network": small.network})


def test_methods_that_share_no_parameter(small):
    ages = replace(small.grid, names=("age_mw", "av"))
    with pytest.raises(RequestError, match="no parameter is in two of them"):
        judge({"network": small.network, "grid": ages})


def test_parameters_can_be_chosen_and_bands_too(small):
    found = judge({"network": small.network}, small.truth, small.sources, parameters=["logsfr"], band="g")
    assert found.parameters == ("logsfr",)
    assert {b["by"] for b in found.numbers()["bins"]} == {"redshift", "mag_g", "snr_g"}


def test_without_an_r_band_the_first_is_taken(small):
    green = Sources(small.sources.id, photometry=small.sources.photometry.select(["g"]))
    assert judge({"network": small.network}, small.truth, green).band == "g"


def test_a_pit_column_of_the_predictions_is_used(small):
    pit = np.linspace(0.001, 0.999, 120)
    network = replace(small.network, extra={"pit_logmstar": pit})
    found = judge({"network": network}, small.truth)
    calibration = record(found, "logmstar", "all", "network")["calibration"]
    assert calibration["pit_from"] == "column"
    assert calibration["ks"] == pytest.approx(stats.kstest(pit, "uniform").statistic)
    assert record(found, "logsfr", "all", "network")["calibration"]["pit_from"] == "quantiles"


def test_points_alone_are_judged_without_calibration(small):
    point = replace(small.network, levels=(), quantiles=None)
    found = judge({"network": point}, small.truth)
    assert "calibration" not in record(found, "logmstar", "all", "network")
    sample = found.sample("logmstar")
    assert (sample.spread("network"), sample.pit("network")) == (None, None)


def test_quantiles_may_come_in_any_order(small):
    order = [4, 2, 0, 3, 1]
    levels = tuple(small.network.levels[k] for k in order)
    mixed = replace(small.network, levels=levels, quantiles=small.network.quantiles[:, :, order])
    first, again = (judge({"network": table}, small.truth).numbers()["metrics"] for table in (small.network, mixed))
    assert first == again


def test_the_stated_sigma_needs_the_right_quantiles(small):
    matched = match({"network": small.network}, small.truth, None)
    sample = Sample(matched, "logmstar", ("network",))
    sigma = sample.spread("network")
    assert sigma == pytest.approx((sample.quantiles("network")[0][:, 3] - sample.quantiles("network")[0][:, 1]) / 2)
    outer = replace(small.network, levels=(0.025, 0.975), quantiles=small.network.quantiles[:, :, [0, 4]])
    assert Sample(match({"network": outer}, small.truth, None), "logmstar", ("network",)).spread("network") is None


def test_numbers_are_strict_json(whole):
    assert strict(whole.numbers())["limit"] == "posterior"


def test_rms_ratio_by_hand_and_its_edges():
    ratio, err = rms_ratio([0.2, -0.2], [0.1, -0.1])
    assert ratio == pytest.approx(2)
    assert err == pytest.approx(0)
    assert rms_ratio([], []) == (None, None)
    assert rms_ratio([0.1], [0.0]) == (None, None)
    assert rms_ratio([0.0, 0.0], [0.1, 0.2]) == (0.0, None)


def test_the_error_of_the_ratio_knows_that_the_two_share_their_noise():
    """Against the scatter of the ratio over independent skies, and far below that of two errors in quadrature."""
    rng = np.random.default_rng(12)

    def draw():
        shared = rng.normal(size=1500)
        return shared + 0.3 * rng.normal(size=1500), shared

    found = [rms_ratio(*draw()) for _ in range(400)]
    scatter = np.std([ratio for ratio, _ in found])
    assert np.mean([err for _, err in found]) == pytest.approx(scatter, rel=0.12)
    assert scatter < 0.5 / np.sqrt(1500)


def test_more_sources_tell_more(sky):
    few = planted(400, seed=9)
    errs = [record(judge({"n": s.network}, s.truth), "logmstar", "all", "n")["sigma_err"] for s in (few, sky)]
    assert errs[0] / errs[1] == pytest.approx(np.sqrt(15), rel=0.2)
