"""How a table is understood: by the preset that fits, by what the user says, or not at all."""

import numpy as np
import pytest

from galprism import surveys
from galprism.data.tables import ColumnInfo
from galprism.errors import RequestError
from galprism.flags import Flag, names
from galprism.units import njy_per


def flux(layout, batch):
    return layout.sources(batch).photometry.flux


def kids_dr4(i_band, n=3):
    batch = {"ID": np.array(["KIDS J1", "KIDS J2", "KIDS J3"][:n]), "RAJ2000": np.zeros(n), "DECJ2000": np.zeros(n)}
    for band in ("u", "g", "r", i_band, "Z", "Y", "J", "H", "Ks"):
        batch[f"MAG_GAAP_{band}"] = np.full(n, 21.4, np.float32)
        batch[f"MAGERR_GAAP_{band}"] = np.full(n, 0.05, np.float32)
        batch[f"EXTINCTION_{band}"] = np.full(n, 0.1, np.float32)
    batch["Z_B"] = np.array([0.3, 0.5, 0.7][:n])
    return batch


@pytest.mark.parametrize(("i_band", "preset"), [("i", "kids-dr4"), ("i1", "kids-dr5")])
def test_kids_gaap_magnitudes_of_both_releases(made, kids, i_band, preset):
    """21.4 is 10 uJy; 99 is a non-detection, -99 not observed; the values are corrected for extinction already."""
    batch = kids_dr4(i_band)
    batch["MAG_GAAP_u"][:] = [99.0, -99.0, 21.4]
    batch["MAGERR_GAAP_u"][:] = [26.0, -99.0, -99.0]
    layout = kids.layout(made.columns_of(batch))
    assert layout.preset.startswith(preset)
    sources = layout.sources(batch)
    np.testing.assert_allclose(sources.photometry.flux[:, 1:], 1e4, rtol=1e-5)
    np.testing.assert_allclose(sources.photometry.flux_err[:, 1:], 1e4 * 0.05 * np.log(10) / 2.5, rtol=1e-5)
    np.testing.assert_allclose(sources.photometry.flux[:, 0], [0, 0, 1e4], rtol=1e-5)
    np.testing.assert_allclose(sources.photometry.flux_err[0, 0], kids.sky_err()[0], rtol=1e-5)
    assert sources.photometry.ivar[1, 0] == 0
    assert np.isnan(sources.photometry.ivar[2, 0])
    assert [names(value) for value in sources.flags] == [("UPPER_LIMIT",), ("BAND_MISSING",), ("ERROR_UNKNOWN",)]
    assert sources.id[0] == "KIDS J1"
    np.testing.assert_array_equal(sources.redshift, [0.3, 0.5, 0.7])
    assert any("corrected already" in line for line in layout.describe())
    with pytest.raises(RequestError, match="corrected already"):
        kids.layout(made.columns_of(batch), columns_map={"ebv": "EXTINCTION_u"})


def cigale_table(made, kids, n=4):
    values, err = made.catalogue(kids, n)
    filters = ["sdss.up", "sdss.gp", "sdss.rp", "sdss.ip", *(f"vista.vircam.{b}" for b in ("Z", "Y", "J", "H", "Ks"))]
    batch = {"id": np.array([f"S{i}" for i in range(n)]), "redshift": np.full(n, 0.3)}
    for name, f, e in zip(
        ["galex.NUV", *filters], np.vstack([values.T[:1], values.T]), np.vstack([err.T[:1], err.T]), strict=True
    ):
        batch[name], batch[f"{name}_err"] = f / 1e6, e / 1e6
    return batch, values, err


def test_cigale_tables_need_no_option(made, kids):
    """mJy without a unit in the table; NaN and errors below -9990 missing; a negative error marks a limit."""
    batch, values, err = cigale_table(made, kids)
    batch["sdss.up"][0] = np.nan
    batch["sdss.gp_err"][1] = -9999.0
    batch["sdss.rp_err"][2] *= -1
    layout = kids.layout(made.columns_of(batch))
    sources = layout.sources(batch)
    seen = sources.photometry
    assert [names(value) for value in sources.flags] == [("BAND_MISSING",), ("BAND_MISSING",), ("UPPER_LIMIT",), ()]
    assert seen.limit[2, 2]
    assert seen.limit.sum() == 1
    keep = seen.observed
    assert keep.sum() == keep.size - 2
    np.testing.assert_allclose(seen.flux[keep], values[keep], rtol=1e-6)
    np.testing.assert_allclose(seen.flux_err[keep], err[keep], rtol=1e-6)
    said = layout.describe()
    assert "u: sdss.up +- sdss.up_err [mJy]" in said
    assert "not used: galex.NUV, galex.NUV_err" in said
    assert layout.needs[:2] == ("id", "redshift")
    assert "galex.NUV" not in layout.needs


def test_the_columns_unit_wins_over_the_presets_and_the_users_must_not_contradict_it(made, kids):
    batch, values, _ = cigale_table(made, kids)
    in_jansky = made.columns_of(batch, {name: "Jy" for name in batch if "." in name})
    np.testing.assert_allclose(flux(kids.layout(in_jansky), batch), 1000 * values, rtol=1e-6)
    assert kids.layout(in_jansky, unit="Jy").columns[0].unit == "Jy"
    with pytest.raises(RequestError, match=r"column sdss.up is in Jy by the table, and 'nJy' was said"):
        kids.layout(in_jansky, unit="nJy")
    silent = made.columns_of(batch)
    np.testing.assert_allclose(flux(kids.layout(silent, unit="nJy"), batch), values / 1e6, rtol=1e-6)


def test_errors_are_none_in_plain_columns_too(made, kids):
    """Fluxes alone fit both presets of plain fluxes; without errors these are one."""
    values, _ = made.catalogue(kids, 3)
    batch = {f"flux_{band}": column for band, column in zip(kids.band_names, values.T, strict=True)}
    layout = kids.layout(made.columns_of(batch), columns_map={"flux_err_*": "none"}, unit="nJy")
    sources = layout.sources(batch)
    np.testing.assert_allclose(sources.photometry.flux, values, rtol=1e-6)
    assert np.isnan(sources.photometry.ivar).all()


@pytest.mark.parametrize("unit", ["nJy", "uJy", "mJy", "Jy", "nanomaggy", "erg s-1 cm-2 Hz-1"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_plain_fluxes_in_any_unit(made, kids, unit, dtype):
    values, err = made.catalogue(kids, 20)
    batch, columns = made.plain(kids, values / njy_per(unit), err / njy_per(unit), unit, dtype)
    seen = kids.layout(columns).sources(batch).photometry
    assert seen.flux.dtype == seen.ivar.dtype == np.float32
    np.testing.assert_allclose(seen.flux, values, rtol=1e-5)
    np.testing.assert_allclose(seen.flux_err, err, rtol=1e-5)


def test_an_error_in_a_unit_of_its_own(made, kids):
    values, err = made.catalogue(kids, 5)
    batch, columns = made.plain(kids, values / 1e3, err, "uJy")
    columns |= {f"flux_err_{band}": ColumnInfo(f"flux_err_{band}", "nJy") for band in kids.band_names}
    np.testing.assert_allclose(kids.layout(columns).sources(batch).photometry.flux_err, err, rtol=1e-5)


def test_a_flux_without_a_unit_is_refused(made, kids):
    batch, columns = made.plain(kids, *made.catalogue(kids, 3))
    with pytest.raises(RequestError, match=r"columns flux_u, .*flux_Ks: no unit is known; say it \(--unit mJy\)"):
        kids.layout(columns)
    assert flux(kids.layout(columns, unit="mJy"), batch).max() > 1e8


@pytest.mark.parametrize(
    ("unit", "says"), [("furlong", "flux_u: unit 'furlong'"), ("erg s-1 cm-2 AA-1", "flux_u: unit")]
)
def test_a_unit_that_is_no_flux_density_is_refused(made, kids, unit, says):
    _, columns = made.plain(kids, *made.catalogue(kids, 3), unit)
    with pytest.raises(RequestError, match=says):
        kids.layout(columns)
    _, columns = made.plain(kids, *made.catalogue(kids, 3))
    with pytest.raises(RequestError, match=says):
        kids.layout(columns, unit=unit)


def test_inverse_variances(made, kids):
    values, err = made.catalogue(kids, 4)
    batch, _ = made.plain(kids, values, err)
    for band in kids.band_names:
        batch[f"flux_ivar_{band}"] = batch.pop(f"flux_err_{band}") ** -2
    batch["flux_ivar_u"][0] = 0.0
    batch["flux_ivar_u"][1] = -1.0
    batch["flux_ivar_u"][2] = np.inf
    sources = kids.layout(made.columns_of(batch), unit="nJy").sources(batch)
    np.testing.assert_allclose(sources.photometry.flux_err[:, 1:], err[:, 1:], rtol=1e-5)
    missing = ("BAND_MISSING",)
    assert [names(value) for value in sources.flags] == [
        missing,
        (*missing, "NEGATIVE_ERROR"),
        (*missing, "NONFINITE"),
        (),
    ]


def sdss_model(made, sdss, n=4):
    values, err = made.catalogue(sdss, n, r=(17.5, 0.5))
    return values, err, {"objID": np.arange(n) + 10**18, "redshift": np.full(n, 0.1)}


def test_sdss_asinh_magnitudes_are_inverted_exactly(made, sdss):
    """Faint, zero and negative fluxes come back (Lupton, Gunn & Szalay 1999, Eq. 3), and so do their errors."""
    values, _, batch = sdss_model(made, sdss)
    values[:, 0] = [500.0, 0.0, -300.0, 20.0]
    softening = np.array([1.4e-10, 0.9e-10, 1.2e-10, 1.8e-10, 7.4e-10])
    f0 = 10 ** (0.4 * 31.4)
    magnitude = -2.5 / np.log(10) * (np.arcsinh(values / f0 / (2 * softening)) + np.log(softening))
    step = 0.01 * np.abs(values) + 20
    error = 2.5 / np.log(10) * step / np.hypot(values, 2 * softening * f0)
    for number, band in enumerate(sdss.band_names):
        batch[f"modelMag_{band}"], batch[f"modelMagErr_{band}"] = magnitude[:, number], error[:, number]
    batch["modelMag_z"][3] = -9999.0
    layout = sdss.layout(made.columns_of(batch))
    seen = layout.sources(batch).photometry
    keep = seen.observed
    assert not keep[3, 4]
    assert keep.sum() == keep.size - 1
    np.testing.assert_allclose(seen.flux[keep], values[keep], rtol=2e-5, atol=0.02)
    np.testing.assert_allclose(seen.flux_err[keep], step[keep], rtol=1e-4)
    assert any("NOT corrected" in line for line in layout.describe())


@pytest.mark.parametrize("vector", [False, True])
def test_sdss_nanomaggies_are_corrected_with_their_extinction(made, sdss, vector):
    values, err, batch = sdss_model(made, sdss)
    nmgy = 10 ** (0.4 * 31.4 - 9)
    extinction = np.tile([0.4, 0.3, 0.2, 0.15, 0.1], (4, 1))
    extinction[2, 1] = np.nan
    if vector:
        batch = {"MODELFLUX": values / nmgy, "MODELFLUX_IVAR": (err / nmgy) ** -2, "EXTINCTION": extinction}
        batch["Z"] = np.full(4, 0.1)
    else:
        for number, band in enumerate(sdss.band_names):
            batch[f"modelFlux_{band}"] = values[:, number] / nmgy
            batch[f"modelFluxIvar_{band}"] = (err[:, number] / nmgy) ** -2
            batch[f"extinction_{band}"] = extinction[:, number]
    columns = made.columns_of(batch)
    sources = sdss.layout(columns).sources(batch, first_row=100)
    keep = sources.photometry.observed
    assert not keep[2, 1]
    factor = 10 ** (0.4 * extinction)
    np.testing.assert_allclose(sources.photometry.flux[keep], (values * factor)[keep], rtol=1e-5)
    np.testing.assert_allclose(sources.photometry.flux_err[keep], (err * factor)[keep], rtol=1e-5)
    assert names(sources.flags[2]) == ("BAND_MISSING", "NONFINITE")
    assert sources.id[0] == (100 if vector else 10**18)
    assert sources.redshift[0] == 0.1
    as_observed = sdss.layout(columns, columns_map={"ebv": "none"})
    np.testing.assert_allclose(flux(as_observed, batch), values, rtol=1e-5)
    assert any("asked for" in line for line in as_observed.describe())


def test_extinction_from_a_colour_excess(made, sdss):
    values, err, batch = sdss_model(made, sdss)
    for number, band in enumerate(sdss.band_names):
        batch[f"modelFlux_{band}"] = values[:, number] / 3630.78
        batch[f"modelFluxIvar_{band}"] = (err[:, number] / 3630.78) ** -2
    batch["ebv"] = np.full(4, 0.05)
    corrected = flux(sdss.layout(made.columns_of(batch)), batch)
    factor = 10 ** (0.4 * 0.05 * np.array([4.239, 3.303, 2.285, 1.698, 1.263]))
    np.testing.assert_allclose(corrected, values * factor, rtol=1e-5)


def test_where_the_preset_does_not_say_only_a_mapped_ebv_corrects(made, kids):
    values, err = made.catalogue(kids, 3)
    batch, _ = made.plain(kids, values, err)
    batch["EBV"] = np.full(3, 0.1)
    columns = made.columns_of(batch)
    silent = kids.layout(columns, unit="nJy")
    np.testing.assert_allclose(flux(silent, batch), values, rtol=1e-5)
    assert any("map ebv=EBV" in line for line in silent.describe())
    asked = kids.layout(columns, unit="nJy", columns_map={"ebv": "EBV"})
    np.testing.assert_allclose(flux(asked, batch)[:, 0], values[:, 0] * 10 ** (0.4 * 0.4239), rtol=1e-5)


def test_a_missing_band_is_named_and_refused_unless_the_user_says_so(made, kids):
    batch, columns = made.plain(kids, *made.catalogue(kids, 5), "uJy")
    del columns["flux_H"], columns["flux_err_H"]
    with pytest.raises(RequestError, match=r"lacks the columns flux_H, flux_err_H of kids's band H .*--without H"):
        kids.layout(columns)
    layout = kids.layout(columns, without=("H",))
    assert layout.without == ("H",)
    assert "flux_H" not in layout.needs
    sources = layout.sources(batch)
    assert sources.photometry.bands == kids.band_names
    assert not sources.photometry.observed[:, 7].any()
    assert sources.photometry.observed[:, :7].all()
    assert any(line.startswith("H: not in this table") for line in layout.describe())


@pytest.mark.parametrize(("without", "says"), [(("K",), "kids has no such band"), ("ugriZYJH", "no such band")])
def test_going_without_a_band_that_is_not_there_is_refused(made, kids, without, says):
    _, columns = made.plain(kids, *made.catalogue(kids, 2), "uJy")
    with pytest.raises(RequestError, match=says):
        kids.layout(columns, without=without)
    with pytest.raises(RequestError, match="no band of kids is left"):
        kids.layout(columns, without=kids.band_names)


def test_several_presets_fit_and_the_user_chooses(made, kids):
    values, err = made.catalogue(kids, 3)
    batch, _ = made.plain(kids, values, err)
    for band in kids.band_names:
        batch[f"mag_{band}"], batch[f"mag_err_{band}"] = np.full(3, 20.0), np.full(3, 0.1)
    columns = made.columns_of(batch)
    with pytest.raises(RequestError, match="several presets of kids fit the table: flux, mag; say which"):
        kids.layout(columns, unit="nJy")
    np.testing.assert_allclose(flux(kids.layout(columns, preset="mag"), batch), 36307.8, rtol=1e-5)
    np.testing.assert_allclose(flux(kids.layout(columns, preset="flux", unit="nJy"), batch), values, rtol=1e-5)
    with pytest.raises(RequestError, match="every band is read as AB magnitudes"):
        kids.layout(columns, preset="mag", unit="mJy")
    with pytest.raises(RequestError, match="kids has no preset 'des'; it has kids-dr4, kids-dr5, cigale, flux"):
        kids.layout(columns, preset="des")
    with pytest.raises(RequestError, match=r"lacks the columns MAG_GAAP_u, .*preset kids-dr4"):
        kids.layout(columns, preset="kids-dr4")


def test_nothing_fits(made, kids):
    with pytest.raises(RequestError, match=r"in none of the presets of kids .*It has a, b"):
        kids.layout(made.columns_of({"a": [1.0], "b": [2.0]}))


def test_columns_by_hand(made, kids):
    """A preset but for two bands, one of them a magnitude; ids, positions and redshifts under odd names."""
    values, err = made.catalogue(kids, 3)
    batch, _ = made.plain(kids, values, err)
    batch |= {
        "who": np.array([5, 6, 7]),
        "lon": np.ones(3),
        "lat": np.ones(3),
        "zz": np.full(3, 0.2),
        "BLUE": batch.pop("flux_u"),
        "mg": np.full(3, 21.4),
        "emg": np.full(3, 0.1),
        "EV": np.tile(err[0, 2], (3, 2)),
    }
    del batch["id"]
    chosen = {"flux_u": "BLUE", "mag_g": "mg", "mag_err_g": "emg", "flux_err_r": "EV[1]"}
    chosen |= {"id": "who", "ra": "lon", "dec": "lat", "redshift": "zz"}
    layout = kids.layout(made.columns_of(batch), columns_map=chosen, unit="nJy")
    sources = layout.sources(batch)
    np.testing.assert_array_equal(sources.id, [5, 6, 7])
    np.testing.assert_array_equal(sources.redshift, 0.2)
    np.testing.assert_allclose(sources.photometry.flux[:, 0], values[:, 0], rtol=1e-5)
    np.testing.assert_allclose(sources.photometry.flux[:, 1], 1e4, rtol=1e-5)
    np.testing.assert_allclose(sources.photometry.flux_err[:, 2], err[0, 2], rtol=1e-5)
    said = layout.describe()
    assert "r: flux_r +- EV[1] [nJy]" in said
    assert "position: lon, lat" in said
    assert "mapped by hand: u, g" in said


def test_every_band_by_hand_needs_no_preset(made, sdss):
    """Bare u g r i z columns of magnitudes without errors, as many lists have."""
    batch = {band: np.full(2, 18.9) for band in sdss.band_names} | {"redshift": np.array([0.1, -9999.0])}
    chosen = {f"mag_{band}": band for band in sdss.band_names} | {"mag_err_*": "none"}
    layout = sdss.layout(made.columns_of(batch), columns_map=chosen)
    sources = layout.sources(batch, 7)
    np.testing.assert_allclose(sources.photometry.flux, 1e5, rtol=1e-5)
    assert np.isnan(sources.photometry.ivar).all()
    assert names(sources.flags[0]) == ("ERROR_UNKNOWN",)
    assert names(sources.flags[1]) == ("ERROR_UNKNOWN", "REDSHIFT_MISSING")
    np.testing.assert_array_equal(sources.id, [7, 8])
    assert "u: u without errors (asked for) [AB mag]" in layout.describe()


def test_magnitudes_without_errors_only_when_told(made, sdss):
    batch = {f"mag_{band}": np.full(2, 18.0) for band in sdss.band_names}
    with pytest.raises(RequestError, match=r"lacks the columns mag_err_u.*say mag_err_\*=none to read without errors"):
        sdss.layout(made.columns_of(batch))
    layout = sdss.layout(made.columns_of(batch), columns_map={"mag_err_*": "none", "redshift": "none"})
    assert np.isnan(layout.sources(batch).photometry.ivar).all()


def test_several_redshifts_and_none(made, kids):
    batch, _ = made.plain(kids, *made.catalogue(kids, 2))
    assert kids.layout(made.columns_of(batch), unit="nJy").sources(batch).redshift is None
    batch |= {"Z_SPEC": np.full(2, 0.4), "z_phot": np.full(2, 0.5)}
    layout = kids.layout(made.columns_of(batch), unit="nJy")
    assert layout.redshift == "Z_SPEC"
    assert kids.layout(made.columns_of(batch), unit="nJy", columns_map={"redshift": "none"}).redshift is None
    chosen = kids.layout(made.columns_of(batch), unit="nJy", columns_map={"redshift": "z_phot"})
    assert chosen.sources(batch).redshift[0] == 0.5


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"flux_x": "flux_u"}, r"'flux_x' is none of id, ra, dec"),
        ({"colour": "flux_u"}, r"'colour' is none of"),
        ({"mag_ivar_u": "flux_u"}, "is none of"),
        ({"flux_u": "flux_U"}, r"flux_u = 'flux_U', but the table has no such column; did you mean flux_u"),
        ({"id": "name"}, "id = 'name', but the table has no such column"),
        ({"flux_u": "flux_g", "mag_err_u": "flux_err_g"}, "both as a flux and as a magnitude"),
        ({"flux_err_u": "flux_err_g", "flux_ivar_u": "flux_err_g"}, "the error of band u is given twice"),
        ({"flux_u": "flux_g"}, "column flux_g is given for two bands"),
        ({"flux_u": "V[2]"}, "column V has 2 elements a row"),
        ({"flux_u": "V"}, r"no such column; V holds vectors: say which element, as in V\[0\]"),
        ({"flux_u": "T"}, "column T holds text .*; expected the flux of u"),
        ({"flux_u": "B"}, "column B holds true and false; expected the flux of u"),
        ({"mag_err_u": "none"}, "lacks the column"),
        ({"redshift": "T"}, "column T holds text .*; expected redshift, numbers or empty"),
        ({"ebv": "T"}, "column T holds text .*; expected ebv"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(made, kids, chosen, says):
    batch, _ = made.plain(kids, *made.catalogue(kids, 3))
    batch |= {"V": np.ones((3, 2)), "T": np.array(["abc", "b", "c"]), "B": np.array([True, False, True])}
    with pytest.raises(RequestError, match=says):
        kids.layout(made.columns_of(batch), columns_map=chosen, unit="nJy")


def test_a_magnitude_column_in_a_flux_unit_is_refused(made, sdss):
    batch = {f"{name}_{band}": np.full(2, 18.0) for band in sdss.band_names for name in ("mag", "mag_err")}
    with pytest.raises(RequestError, match="column mag_u has unit 'mJy'; expected AB magnitudes"):
        sdss.layout(made.columns_of(batch, {"mag_u": "mJy"}))
    assert sdss.layout(made.columns_of(batch, {"mag_u": "mag(AB)", "mag_g": "ABmag"})).columns[0].unit == "AB mag"


def test_integers_and_masked_columns_are_numbers_too(made, sdss):
    batch = {f"flux_{band}": np.array([300, 400], np.int32) for band in sdss.band_names}
    batch |= {f"flux_err_{band}": np.array([3.0, np.nan]) for band in sdss.band_names}
    sources = sdss.layout(made.columns_of(batch), unit="uJy").sources(batch)
    np.testing.assert_allclose(sources.photometry.flux[0], 3e5)
    assert sources.flags[1] == Flag.ERROR_UNKNOWN


def test_an_empty_batch_gives_no_sources(made, kids):
    batch, columns = made.plain(kids, np.zeros((0, 9)), np.zeros((0, 9)), "nJy")
    layout = kids.layout(columns)
    sources = layout.sources(batch)
    assert len(sources) == 0
    layout.check_range(sources)


def test_hsc_and_rubin_are_read_by_their_own_names(made):
    """Both count in nJy; HSC's tables carry the extinction, Rubin's none."""
    hsc, rubin = surveys.get("hsc"), surveys.get("rubin")
    batch = {"object_id": np.arange(2)}
    for band in hsc.band_names:
        batch |= {f"{band}_cmodel_flux": np.full(2, 1e3), f"{band}_cmodel_fluxerr": np.full(2, 50.0)}
        batch[f"a_{band}"] = np.array([0.0, 0.1])
    layout = hsc.layout(made.columns_of(batch))
    assert layout.preset.startswith("hsc-cmodel ")
    np.testing.assert_allclose(flux(layout, batch)[0], 1e3, rtol=1e-6)
    np.testing.assert_allclose(flux(layout, batch)[1], 1e3 * 10**0.04, rtol=1e-5)
    batch = {"objectId": np.arange(2), "coord_ra": np.full(2, 53.0), "coord_dec": np.full(2, -28.0)}
    for band in rubin.band_names:
        batch |= {f"{band}_cModelFlux": np.full(2, 1e3), f"{band}_cModelFluxErr": np.full(2, 50.0)}
    layout = rubin.layout(made.columns_of(batch))
    np.testing.assert_allclose(flux(layout, batch), 1e3, rtol=1e-6)
    assert layout.sources(batch).ra[0] == 53.0
