"""Redshifts that nobody knows: inferred by the model for any bands, with the answers averaged over them."""

from dataclasses import replace

import h5py
import numpy as np
import onnxruntime
import pytest
from scipy.stats import kstest
from tiny_survey import with_photometry

from galprism import bundle, surveys
from galprism.cli.main import main
from galprism.data import Photometry, Sources, Truth
from galprism.data.tables import open_table, write_table
from galprism.errors import RequestError
from galprism.flags import Flag, names
from galprism.infer import Density, Predictor, predict, predict_file
from galprism.infer.candidates import padded
from galprism.train.candidates import scatter

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)


def without_redshift(sources: Sources) -> Sources:
    return replace(sources, redshift=None)


@pytest.fixture(scope="module")
def blind(kids):
    """The answers to galaxies whose redshifts were not told."""
    bound, sources, _ = kids
    return predict(bound, without_redshift(sources), LEVELS, infer_redshift=True)


def test_planted_redshifts_are_found(kids, blind):
    _, sources, _ = kids
    off = (blind.column("redshift") - sources.redshift) / (1 + sources.redshift)
    assert np.median(np.abs(off)) < 0.03
    assert np.mean(np.abs(off) > 0.15) < 0.08
    bright = sources.photometry.flux[:, 2] * np.sqrt(sources.photometry.ivar[:, 2]) > 50
    assert np.std(off[bright]) < 0.06


def test_intervals_hold_the_truth_about_as_often_as_they_say(kids, blind):
    _, sources, truth = kids
    for name, true in (("redshift", sources.redshift), ("logmstar", truth.column("logmstar"))):
        for low, high, least, most in ((0.16, 0.84, 0.5, 0.8), (0.025, 0.975, 0.8, 0.99)):
            inside = (blind.quantile(name, low) < true) & (true < blind.quantile(name, high))
            assert least < inside.mean() < most, (name, low)


def test_not_knowing_the_redshift_costs_information(kids, blind):
    bound, sources, truth = kids
    told = predict(bound, sources)
    for name in ("logmstar", "logsfr"):
        errors = [np.std(each.column(name) - truth.column(name)) for each in (told, blind)]
        assert errors[0] < errors[1] < 0.8 * truth.column(name).std(), name
    width = [np.median(each.quantile("logmstar", 0.84) - each.quantile("logmstar", 0.16)) for each in (told, blind)]
    assert width[0] < width[1]


def test_the_answer_is_the_average_over_redshift(kids, blind):
    """The law of total expectation and of total probability, from the model's answers at each redshift; it asks at
    some of them only, which moves answers by a hundredth of their errors."""
    bound, sources, _ = kids
    predictor = Predictor(bound)
    for row in (0, 7, 40):
        one = without_redshift(sources.take(slice(row, row + 1)))
        density = predictor.redshifts(one)
        some = np.flatnonzero(density.probability[0] > 1e-4)
        p = density.probability[0, some] / density.probability[0, some].sum()
        at_each = Sources(
            np.arange(len(some)),
            redshift=density.redshift[some],
            photometry=one.photometry.take(np.zeros(len(some), int)),
        )
        found = predict(bound, at_each, LEVELS)
        for name in bound.targets:
            assert blind.column(name)[row] == pytest.approx(p @ found.column(name), abs=3e-3)
            x = blind.quantile(name, 0.84)[row]
            asked = Truth(id=at_each.id, names=bound.targets, values=np.full((len(some), len(bound.targets)), x))
            below = predictor.pit(at_each, asked)[:, bound.targets.index(name)]
            assert p @ below == pytest.approx(0.84, abs=2e-3)


def test_redshifts_that_are_known_are_kept(kids):
    """Rows with a redshift are answered as ever, whatever their neighbours are."""
    bound, sources, _ = kids
    few = sources.take(slice(0, 40))
    redshift = few.redshift.copy()
    redshift[::2] = np.nan
    found = predict(bound, replace(few, redshift=redshift), infer_redshift=True)
    told = predict(bound, few)
    for name in bound.targets:
        np.testing.assert_allclose(found.column(name)[1::2], told.column(name)[1::2], atol=1e-5)
    np.testing.assert_allclose(found.column("redshift")[1::2], few.redshift[1::2], rtol=1e-6)
    np.testing.assert_allclose(found.quantile("redshift", 0.84)[1::2], few.redshift[1::2], rtol=1e-6)
    inferred = (found.flags & np.uint32(Flag.REDSHIFT_INFERRED)) != 0
    assert np.array_equal(inferred, np.isnan(redshift))
    assert (found.quantile("redshift", 0.84) > found.quantile("redshift", 0.16))[::2].all()
    assert np.isnan(predict(bound, replace(few, redshift=redshift)).point[::2]).all()  # unless it is asked for


def test_a_redshift_with_an_error_is_weighed_with_the_photometry(kids, blind):
    """A wide error changes nothing, a narrow one is the answer, one between is in between; a tiny one is exact."""
    bound, sources, _ = kids
    few = sources.take(slice(0, 60))
    predictor = Predictor(bound)

    def with_error(error):
        return predict(bound, replace(few, redshift_err=np.full(60, error)), LEVELS, infer_redshift=True)

    wide, medium, narrow, tiny = (with_error(error) for error in (50.0, 0.05, 0.012, 1e-4))
    np.testing.assert_allclose(wide.column("redshift"), blind.column("redshift")[:60], atol=2e-3)
    np.testing.assert_allclose(with_error(np.inf).column("redshift"), blind.column("redshift")[:60], rtol=1e-5)
    assert ((wide.flags & np.uint32(Flag.REDSHIFT_INFERRED)) != 0).all()
    assert not (wide.flags & np.uint32(Flag.REDSHIFT_MISSING)).any()
    density = predictor.redshifts(few)  # the product of both, by hand
    product = density.probability * np.exp(-0.5 * ((density.redshift - few.redshift[:, None]) / 0.05) ** 2)
    by_hand = product @ density.redshift / product.sum(axis=1)
    np.testing.assert_allclose(medium.column("redshift"), by_hand, atol=5e-3)
    assert np.median(np.abs(narrow.column("redshift") - few.redshift)) < 0.01
    width = [np.median(each.quantile("logmstar", 0.84) - each.quantile("logmstar", 0.16)) for each in (wide, medium)]
    assert width[1] < width[0]
    np.testing.assert_allclose(tiny.column("logmstar"), predict(bound, few).column("logmstar"), atol=1e-5)
    assert not (tiny.flags & np.uint32(Flag.REDSHIFT_INFERRED)).any()
    far = predict(bound, replace(few, redshift=np.full(60, 9.0), redshift_err=np.full(60, 0.1)), infer_redshift=True)
    assert ((far.flags & np.uint32(Flag.REDSHIFT_OUT_OF_RANGE)) != 0).all()
    assert np.isnan(far.point).all()
    plain = predict(bound, replace(few, redshift_err=np.full(60, 0.05)))  # unless it is asked for
    np.testing.assert_array_equal(plain.point, predict(bound, few).point)


def test_the_answer_does_not_depend_on_the_neighbours(kids, blind):
    bound, sources, _ = kids
    again = predict(bound, without_redshift(sources.take(slice(290, 300))), LEVELS, infer_redshift=True)
    np.testing.assert_allclose(again.point, blind.point[290:300], atol=2e-3)


def test_where_nothing_was_seen_nothing_is_said(kids):
    bound, sources, _ = kids
    few = sources.take(slice(0, 4))
    ivar = few.photometry.ivar.copy()
    ivar[0] = 0.0
    ivar[1, 1:] = 0.0
    found = predict(bound, without_redshift(with_photometry(few, ivar=ivar)), infer_redshift=True)
    assert {"NO_PHOTOMETRY", "NOT_INFERRED", "REDSHIFT_MISSING"} <= set(names(found.flags[0]))
    assert "REDSHIFT_INFERRED" not in names(found.flags[0])
    assert np.isnan(found.point[0]).all()
    assert np.isnan(found.quantiles[0]).all()
    # one band says next to nothing of a redshift: the answer is wide, and flagged
    assert found.quantile("redshift", 0.84)[1] - found.quantile("redshift", 0.16)[1] > 0.3
    assert {"BAND_MISSING", "INPUT_OUT_OF_RANGE"} <= set(names(found.flags[1]))
    assert np.isfinite(found.point[1:]).all()
    density = Predictor(bound).redshifts(with_photometry(few, ivar=ivar))
    np.testing.assert_allclose(density.probability.sum(axis=1), [0, 1, 1, 1], atol=1e-5)
    assert np.isnan(density.mean[0])


def test_nothing_seen_of_any_source(kids):
    """All rows without a band: null and flagged, beside rows that have a redshift too."""
    bound, sources, _ = kids
    few = sources.take(slice(0, 6))
    ivar = few.photometry.ivar.copy()
    ivar[:4] = 0.0
    dark = with_photometry(few, ivar=ivar)
    found = predict(bound, without_redshift(dark.take(slice(0, 4))), infer_redshift=True)
    assert np.isnan(found.point).all()
    assert ((found.flags & np.uint32(Flag.NO_PHOTOMETRY | Flag.NOT_INFERRED)) != 0).all()
    redshift = few.redshift.copy()
    redshift[:4] = np.nan
    mixed = predict(bound, replace(dark, redshift=redshift), infer_redshift=True)
    assert np.isnan(mixed.point[:4]).all()
    np.testing.assert_allclose(mixed.point[4:, :-1], predict(bound, few).point[4:], atol=1e-5)


def test_noise_widens_the_redshift(kids):
    bound, sources, _ = kids
    rng = np.random.default_rng(0)
    few = sources.take(slice(0, 200))
    noise = 20 * few.photometry.flux_err * rng.standard_normal(few.photometry.flux.shape)
    worse = Photometry((few.photometry.flux + noise).astype("f4"), few.photometry.ivar / 401, few.photometry.bands)
    predictor = Predictor(bound)
    clear, dim = (predictor.redshifts(Sources(few.id, photometry=each)).sd for each in (few.photometry, worse))
    assert np.median(clear) < np.median(dim)


def test_a_density_by_hand():
    redshift = np.expm1(0.1 * np.arange(1, 11))
    even = Density(redshift, np.stack([np.full(10, 0.1), np.eye(10)[3], np.zeros(10)]).astype(np.float32))
    np.testing.assert_allclose(np.log1p(even.quantile(0.5)), [0.55, 0.4, np.nan], atol=1e-6)
    np.testing.assert_allclose(np.log1p(even.quantile(0.25)), [0.3, 0.375, np.nan], atol=1e-6)
    np.testing.assert_allclose(even.mean, [redshift.mean(), redshift[3], np.nan], rtol=1e-5)
    np.testing.assert_allclose(even.sd[:2], [redshift.std(), 0.0], atol=2e-3)
    np.testing.assert_allclose((even.pdf * np.gradient(redshift)).sum(axis=1), [1, 1, 0], atol=0.05)


def test_sources_are_padded_together_and_none_is_lost():
    rng = np.random.default_rng(1)
    count = rng.integers(0, 30, 500)
    row = np.repeat(np.arange(500), count)
    seen = np.concatenate([at[at >= 0] for _, at in padded(row)])
    assert np.array_equal(np.sort(seen), np.arange(len(row)))
    for rows, at in padded(row):
        assert np.array_equal((at >= 0).sum(axis=1), count[rows])
        assert all((row[places[places >= 0]] == own).all() for own, places in zip(rows, at, strict=True))


def test_the_true_candidate_is_like_the_others():
    """Its rank among the set is even: nothing but the fluxes tells which is true."""
    rng = np.random.default_rng(2)
    place, inside = scatter(np.full(20_000, 0.4), 8, (0.003, 0.02), (0.01, 3.0), rng)
    assert inside.all()
    rank = (place[:, 1:] < place[:, :1]).sum(axis=1)
    assert kstest((rank + rng.uniform(size=len(rank))) / 8, "uniform").pvalue > 1e-3
    place, inside = scatter(np.full(5000, 0.02), 8, (0.3, 0.7), (0.01, 3.0), rng)
    assert inside[:, 0].all()
    assert 0.3 < inside[:, 1:].mean() < 0.7
    assert place.min() >= np.log1p(0.01)
    assert place.max() <= np.log1p(3.0)


def test_the_network_corrects_the_evidence_for_the_better(kids):
    """Minus ln of the probability of the true redshift is less with its scores than without."""
    bound, sources, _ = kids
    predictor = Predictor(bound)
    few = sources.take(slice(0, 400))
    with_network = predictor.redshifts(few)
    evidence = bound.preparation.ln_evidence(few, with_network.redshift)
    plain = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    plain /= plain.sum(axis=1, keepdims=True)
    node = np.abs(with_network.redshift - few.redshift[:, None]).argmin(axis=1)
    rows = np.arange(len(few))
    better, worse = (np.log(p[rows, node] + 1e-6).mean() for p in (with_network.probability, plain))
    assert better > worse


def test_the_closed_form_evidence_is_that_of_the_inputs(kids):
    bound, sources, _ = kids
    few = sources.take(slice(0, 50))
    at_once = bound.preparation.ln_evidence(few, few.redshift)[np.arange(50), np.arange(50)]
    np.testing.assert_allclose(bound.preparation.features(few, evidence=True).ln_evidence, at_once, atol=1e-3)


def test_a_bundle_keeps_its_ranking(model, folder, tmp_path):
    assert (folder / "redshift.onnx").exists()
    again = bundle.load(bundle.save(model, tmp_path / "again"))
    assert again.ranking == model.ranking
    session = onnxruntime.InferenceSession(again.ranking)
    far = np.full((1, len(model.preparation.input_names)), 1e6, np.float32)
    assert np.isfinite(session.run(["score"], {"features": far})[0]).all()  # a false redshift may look like anything
    assert "Redshifts: known, or inferred where they are not" in again.card


def test_what_a_model_cannot_do_is_refused(kids):
    bound, sources, _ = kids
    with pytest.raises(RequestError, match="no network that could infer them"):
        predict(bundle.load("kids-mass-sfr"), sources, infer_redshift=True)
    with pytest.raises(RequestError, match="no network that could infer them"):
        Predictor(replace(bound, ranking=b"")).redshifts(sources)
    with pytest.raises(RequestError, match="cannot compare redshifts"):
        bundle.load("kids-mass-sfr").preparation.ln_evidence(sources, np.array([0.5]))


def test_on_the_command_line(folder, kids, blind, tmp_path, capsys):
    _, sources, _ = kids
    columns = {"id": sources.id[:30]}
    for j, band in enumerate(sources.photometry.bands):
        columns[f"flux_{band}"] = sources.photometry.flux[:30, j]
        columns[f"flux_err_{band}"] = sources.photometry.flux_err[:30, j]
    path, out = tmp_path / "mine.parquet", tmp_path / "found.parquet"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    words = ["predict", str(folder), str(path), "-o", str(out), "--survey", "kids"]
    assert main(words) == 2
    assert "or infer them with --infer-redshift" in capsys.readouterr().err
    assert not out.exists()
    assert main([*words, "--redshift-pdf", str(tmp_path / "pz.hdf5")]) == 2
    assert "ask for both" in capsys.readouterr().err
    assert main([*words, "--infer-redshift", "--redshift-pdf", str(tmp_path / "pz.fits")]) == 2
    assert "accepted: .hdf5, .h5" in capsys.readouterr().err
    both = ["--infer-redshift", "--redshift-pdf", str(tmp_path / "sub" / ".." / "both.hdf5")]
    (tmp_path / "sub").mkdir()
    words_hdf5 = [str(tmp_path / "both.hdf5") if word == str(out) else word for word in words]
    assert main([*words_hdf5, *both]) == 2
    assert "need a file each" in capsys.readouterr().err
    assert main([*words, "--infer-redshift"]) == 0
    assert "30 REDSHIFT_INFERRED" in capsys.readouterr().out
    with open_table(out) as table:
        found = table.read()
        assert table.columns["redshift_p16"].ucd == "src.redshift;stat.percentile"
    np.testing.assert_allclose(found["redshift_p50"], blind.quantile("redshift", 0.5)[:30], rtol=2e-3)
    np.testing.assert_allclose(found["logmstar"], blind.column("logmstar")[:30], atol=3e-3)


@pytest.mark.filterwarnings("ignore")  # those of qp's own
@pytest.mark.parametrize("kind", [np.int64, str])
def test_qp_reads_the_posteriors_of_redshifts(folder, kids, blind, tmp_path, kind):
    """The same quantiles, row by row, whatever the ids; a known redshift is its cell, and nothing is nan."""
    import qp

    _, sources, _ = kids
    redshift = np.full(30, np.nan)
    redshift[3:5] = sources.redshift[3:5]
    error = np.full(30, np.nan)
    error[4] = 30.0  # says nothing
    columns = {"id": np.arange(30).astype(kind), "redshift": redshift, "redshift_err": error}
    for j, band in enumerate(sources.photometry.bands):
        columns[f"flux_{band}"] = sources.photometry.flux[:30, j].copy()
        columns[f"flux_err_{band}"] = sources.photometry.flux_err[:30, j]
        columns[f"flux_{band}"][5] = np.nan
    path, out, kept = tmp_path / "mine.parquet", tmp_path / "found.parquet", tmp_path / "pz.hdf5"
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    survey = surveys.get("kids")
    model = bundle.load(folder)
    predict_file(model, survey, path, out, infer_redshift=True, redshift_path=kept, batch_rows=8)
    read = qp.read(str(kept))
    assert np.array_equal(np.asarray(read.ancil["id"]).astype(str), np.arange(30).astype(str))
    with h5py.File(kept) as file:
        pdf = file["data/pdfs"][:]
    assert np.isnan(pdf[5]).all()
    with open_table(out) as table:
        assert "redshift_pdf" not in table.columns
        found = table.read()
    rows = np.setdiff1d(np.arange(30), [3, 5])
    at = np.array([0.16, 0.5, 0.84])
    by_qp = read[rows].ppf(at)
    ours = np.stack([found[f"redshift_p{level}"][rows] for level in (16, 50, 84)], axis=1)
    np.testing.assert_allclose(by_qp, ours, atol=2e-3)
    np.testing.assert_allclose(ours, np.stack([blind.quantile("redshift", x)[rows] for x in at], axis=1), atol=2e-3)
    assert abs(float(np.squeeze(read[3].median())) - sources.redshift[3]) < 0.01
    assert not list(tmp_path.glob(".*"))
