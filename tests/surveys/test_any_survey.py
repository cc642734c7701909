"""The model for any bands serves every survey that ships."""

import numpy as np
import pytest

from galprism import bundle, surveys
from galprism.data import Photometry, Sources
from galprism.errors import RequestError
from galprism.infer import predict
from galprism.units import njy_from_abmag


@pytest.mark.parametrize("name", surveys.names())
def test_ten_times_the_light_is_ten_times_the_mass(name):
    """A galaxy of 19 mag in all bands and its double of 16.5, errors in proportion: log M* differs by 1."""
    model = bundle.load("galaxy-photometry").bind(name)
    b = len(surveys.get(name).bands)
    flux = np.repeat(njy_from_abmag(np.array([19.0, 16.5])), b).reshape(2, b)
    sources = Sources(
        np.arange(2), redshift=np.full(2, 0.3), photometry=Photometry(flux, (0.05 * flux) ** -2, model.bands)
    )
    mass = predict(model, sources).column("logmstar")
    assert 8.0 < mass[0] < 12.0
    assert mass[1] - mass[0] == pytest.approx(1.0, abs=0.15)


def test_two_curves_of_one_band(tmp_path):
    for name, middle in (("g.txt", 4750), ("g.dat", 6250)):
        (tmp_path / name).write_text("".join(f"{middle + 100 * k} {float(abs(k) < 5)}\n" for k in range(-6, 7)))
    with pytest.raises(RequestError, match=r"g.dat and g.txt are both of band g; leave one there"):
        surveys.from_curves(tmp_path)
    (tmp_path / "g.dat").rename(tmp_path / "r.trans")
    (tmp_path / "README.md").write_text("of a telescope")
    with pytest.raises(RequestError, match=r": r.trans: no format of curves ends like this; accepted: .ecsv, .txt"):
        surveys.from_curves(tmp_path)
    (tmp_path / "r.trans").rename(tmp_path / "r.dat")
    assert surveys.from_curves(tmp_path).band_names == ("g", "r")
