"""The records are checked on entry, keep their rows together, and cannot be changed."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from galprism.data import Photometry, Predictions, Sources, Truth
from galprism.errors import RequestError
from galprism.flags import Flag

BANDS = ("u", "g", "r")


def photometry(n=4, **changes):
    flux = np.arange(3.0 * n).reshape(n, 3)
    ivar = np.full((n, 3), 4.0)
    ivar[0] = 0.0, np.nan, 4.0  # not observed, error unknown, measured
    flux[0, 0] = 0.0
    return Photometry(**({"flux": flux, "ivar": ivar, "bands": BANDS} | changes))


def predictions(n=3, **changes):
    given = {
        "id": np.arange(n),
        "names": ("logmstar", "logsfr"),
        "point": np.arange(2.0 * n).reshape(n, 2),
        "flags": np.zeros(n, np.uint32),
        "n_bands": np.full(n, 9, np.int16),
        "levels": (0.16, 0.84),
        "quantiles": np.arange(4.0 * n).reshape(n, 2, 2),
        "extra": {"chi2": np.arange(float(n))},
    }
    return Predictions(**(given | changes))


class TestPhotometry:
    def test_states_are_kept_apart(self):
        p = photometry()
        assert p.observed[0].tolist() == [False, True, True]
        assert p.error_known[0].tolist() == [False, False, True]
        np.testing.assert_array_equal(p.flux_err[0], [np.nan, np.nan, 0.5])

    def test_negative_fluxes_are_legal(self):
        assert photometry(flux=np.full((4, 3), -2.0)).flux.min() == -2

    def test_float32_stays(self):
        p = photometry(flux=np.ones((4, 3), np.float32), ivar=np.ones((4, 3), np.float32))
        assert {p.flux.dtype, p.ivar.dtype, p.flux_err.dtype} == {np.dtype(np.float32)}

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"flux": np.zeros(3)}, r"flux has shape \(3,\); expected \(N, 3\)"),
            ({"flux": np.zeros((4, 2))}, r"flux has shape \(4, 2\)"),
            ({"ivar": np.ones((5, 3))}, r"ivar has shape \(5, 3\); expected \(4, 3\)"),
            ({"flux": np.full((4, 3), np.nan)}, "flux is not finite"),
            ({"flux": np.full((4, 3), np.inf)}, "flux is not finite"),
            ({"ivar": np.full((4, 3), -1.0)}, "ivar is negative or infinite"),
            ({"ivar": np.full((4, 3), np.inf)}, "ivar is negative or infinite"),
            ({"bands": ("u", "g", "u")}, "names a band twice"),
            ({"limit": np.zeros((4, 2), bool)}, r"limit has shape \(4, 2\)"),
        ],
    )
    def test_checks(self, changes, said):
        with pytest.raises(RequestError, match=said):
            photometry(**changes)

    def test_read_only_without_freezing_what_was_given(self):
        flux = np.ones((4, 3))
        p = photometry(flux=flux)
        with pytest.raises(ValueError, match="read-only"):
            p.flux[0, 0] = 5
        with pytest.raises(FrozenInstanceError):
            p.flux = flux
        flux[0, 0] = 2  # the caller's own array can still be written

    def test_take_and_select_keep_rows_and_bands_together(self):
        limit = np.zeros((4, 3), bool)
        limit[2, 1] = True
        p = photometry(limit=limit)
        rows = p.take([2, 0])
        np.testing.assert_array_equal(rows.flux, p.flux[[2, 0]])
        np.testing.assert_array_equal(rows.limit, limit[[2, 0]])
        bands = p.select(["r", "g"])
        assert bands.bands == ("r", "g")
        np.testing.assert_array_equal(bands.flux, p.flux[:, [2, 1]])
        np.testing.assert_array_equal(bands.ivar, p.ivar[:, [2, 1]])
        np.testing.assert_array_equal(bands.limit, limit[:, [2, 1]])
        with pytest.raises(RequestError, match="no band z, Y; it has u, g, r"):
            p.select(["z", "g", "Y"])


class TestSources:
    def sources(self, **changes):
        given = {
            "id": np.array(["a", "b", "c", "d"]),
            "ra": np.arange(4),
            "dec": -np.arange(4.0),
            "redshift": np.array([0.1, np.nan, 0.3, 0.4]),
            "photometry": photometry(),
        }
        return Sources(**(given | changes))

    def test_flags_begin_at_nothing(self):
        s = self.sources()
        assert (s.flags.dtype, s.flags.tolist()) == (np.uint32, [0] * 4)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"id": np.zeros((2, 2))}, r"Sources.id has shape \(2, 2\)"),
            ({"ra": np.zeros(3)}, r"Sources.ra has shape \(3,\); expected \(4,\)"),
            ({"redshift": np.zeros((4, 1))}, r"Sources.redshift has shape \(4, 1\)"),
            ({"flags": np.zeros(5, int)}, r"Sources.flags has shape \(5,\)"),
            ({"photometry": photometry(3)}, "4 ids and 3 rows of photometry"),
        ],
    )
    def test_checks(self, changes, said):
        with pytest.raises(RequestError, match=said):
            self.sources(**changes)

    @pytest.mark.parametrize("index", [[3, 1], slice(1, 3), np.array([True, False, False, True]), slice(0, 0)])
    def test_take_keeps_every_block_together(self, index):
        s = self.sources().flagged(Flag.BAND_MISSING, [True, False, False, True])
        t = s.take(index)
        assert len(t) == len(s.id[index])
        for name in ("id", "ra", "dec", "redshift", "flags"):
            np.testing.assert_array_equal(getattr(t, name), getattr(s, name)[index])
        np.testing.assert_array_equal(t.photometry.flux, s.photometry.flux[index])

    def test_take_of_ids_alone(self):
        t = Sources(id=np.arange(3)).take([2])
        assert (t.id.tolist(), t.ra, t.photometry) == ([2], None, None)

    def test_flags_add_up_and_the_first_record_stays(self):
        s = self.sources()
        t = s.flagged(Flag.BAND_MISSING, [1, 0, 0, 1]).flagged(Flag.ZERO_ERROR, [0, 0, 1, 1])
        assert t.flags.tolist() == [2, 0, 16, 18]
        assert s.flags.tolist() == [0] * 4

    def test_read_only(self):
        for name in ("id", "ra", "redshift", "flags"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(self.sources(), name)[0] = 1


class TestTruth:
    def test_columns_known_and_rows(self):
        truth = Truth(
            np.arange(3),
            ("logmstar", "av"),
            [[10, 1], [11, np.nan], [9, 0]],
            classes=np.array([2, 0, 1], np.int8),
            weight=np.arange(3.0),
        )
        assert truth.column("av").tolist()[::2] == [1, 0]
        assert truth.known.tolist() == [[True, True], [True, False], [True, True]]
        some = truth.take([2, 0])
        assert (some.id.tolist(), some.classes.tolist(), some.weight.tolist()) == ([2, 0], [1, 2], [2, 0])
        assert some.column("logmstar").tolist() == [9, 10]

    def test_checks(self):
        with pytest.raises(RequestError, match=r"values has shape \(3, 1\); expected \(3, 2\)"):
            Truth(np.arange(3), ("logmstar", "av"), np.zeros((3, 1)))
        with pytest.raises(RequestError, match="no such parameter: mass; known: redshift"):
            Truth(np.arange(3), ("mass",), np.zeros((3, 1)))
        with pytest.raises(RequestError, match="the truth has no logsfr; it has av"):
            Truth(np.arange(3), ("av",), np.zeros((3, 1))).column("logsfr")


class TestPredictions:
    def test_columns_and_quantiles(self):
        p = predictions()
        assert p.column("logsfr").tolist() == [1, 3, 5]
        assert p.quantile("logsfr", 0.84).tolist() == [3, 7, 11]

    def test_take(self):
        p = predictions(ra=np.arange(3.0)).take([2, 0])
        assert (p.id.tolist(), p.ra.tolist(), p.dec, p.extra["chi2"].tolist()) == ([2, 0], [2, 0], None, [2, 0])
        np.testing.assert_array_equal(p.quantiles, predictions().quantiles[[2, 0]])
        assert predictions(levels=(), quantiles=None).take([1]).quantiles is None

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"names": ("mass", "logsfr")}, "no such parameter: mass"),
            ({"point": np.zeros((3, 1))}, r"point has shape \(3, 1\); expected \(3, 2\)"),
            ({"flags": np.zeros(2)}, r"flags has shape \(2,\)"),
            ({"n_bands": np.zeros(4)}, r"n_bands has shape \(4,\)"),
            ({"quantiles": np.zeros((3, 2, 3))}, r"quantiles has shape \(3, 2, 3\); expected \(3, 2, 2\)"),
            ({"quantiles": None}, r"quantiles has shape \(\)"),
            ({"extra": {"chi2": np.zeros(2)}}, r"extra\['chi2'\] has 2 rows; expected 3"),
        ],
    )
    def test_checks(self, changes, said):
        with pytest.raises(RequestError, match=said):
            predictions(**changes)

    def test_what_is_not_there(self):
        with pytest.raises(RequestError, match="the predictions have no av; they have logmstar, logsfr"):
            predictions().column("av")
        with pytest.raises(RequestError, match=r"no quantile 0.5 of logsfr; levels: \(0.16, 0.84\)"):
            predictions().quantile("logsfr", 0.5)
        with pytest.raises(RequestError, match="none, a point estimate only"):
            predictions(levels=(), quantiles=None).quantile("logsfr", 0.5)
