"""How many galaxies a second get a redshift with its posterior on one core, checked first; by the processor's clock.

    python benchmarks/sdss_redshift_speed.py [--model sdss-redshift] [--n 200000] [--repeats 3]

Galaxies are made up (magnitudes as BOSS's galaxies have them, with SDSS's sky as errors; a tenth lack a band). First
the quantiles must be those of a root finder and the file must give what memory gives. Then preparation, network and
quantiles in memory, and from Parquet file to Parquet file, are timed beside the rate of float32 matrix products of this
core, with and without the joint posterior's bytes and the density for qp. Seconds are the processor's: on a machine
that others use they say more than the clock's, and what the others take of its caches and frequency is still in them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from predict import network_flop  # keeps this process to one core, before anything else is imported

# isort: split
import numpy as np

from galprism import bundle, surveys
from galprism.data import LEVELS, Photometry, Sources
from galprism.data.tables import read_predictions, write_table
from galprism.infer import Predictor, predict_file
from galprism.infer.quantiles import mixture_quantiles
from galprism.infer.session import Session
from galprism.units import njy_from_abmag
from rates import onnx_product

BAR = 60_000
SDSS = surveys.get("sdss")


def galaxies(n: int) -> Sources:
    """n made-up galaxies of 17 < r < 22."""
    rng = np.random.default_rng(0)
    r = rng.uniform(17.0, 22.0, n)
    z = rng.uniform(0.05, 0.8, n)
    colours = np.stack([1.2 + 2.5 * z, 0.6 + 1.8 * z, np.zeros(n), -0.2 - 0.9 * z, -0.4 - 1.2 * z], axis=1)
    flux = njy_from_abmag(r[:, None] + colours + 0.1 * rng.standard_normal((n, 5)))
    err = np.asarray(SDSS.sky_err()) * np.ones((n, 1))
    flux = flux + err * rng.standard_normal((n, 5))
    ivar = err**-2.0
    lost = np.flatnonzero(rng.random(n) < 0.1)
    band = rng.integers(0, 5, len(lost))
    flux[lost, band] = ivar[lost, band] = 0.0
    photometry = Photometry(flux.astype(np.float32), ivar.astype(np.float32), SDSS.band_names)
    return Sources(id=np.arange(n), redshift=z.astype("f4").astype(float), photometry=photometry)


def write(path: Path, sources: Sources) -> Path:
    """A table of id, fluxes and errors, float32; NaN where a band was not observed."""
    photometry, columns = sources.photometry, {"id": sources.id}
    assert photometry is not None
    flux = np.where(photometry.observed, photometry.flux, np.float32(np.nan))
    for k, band in enumerate(photometry.bands):
        columns |= {f"flux_{band}": flux[:, k].copy(), f"flux_err_{band}": photometry.flux_err[:, k].copy()}
    write_table(path, columns, units={name: "nJy" for name in columns if name.startswith("flux")})
    return path


def least(call: Callable[[], object], repeats: int) -> float:
    """Seconds of the processor, the least of the repeats."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    return min(seconds)


def peak() -> float:
    """GFLOP/s of processor time, of the fastest float32 matrix product found: NumPy's or ONNX Runtime's."""
    rate = 0.0
    for n in (384, 768, 1536):
        a = np.random.default_rng(0).random((n, n), dtype=np.float32)
        product = onnx_product(a)
        for call in (lambda a=a: a @ a, lambda a=a, p=product: p.run(None, {"x": a})):
            times = max(1, int(4e9 / n**3))
            rate = max(rate, 2e-9 * times * n**3 / least(lambda c=call, k=times: [c() for _ in range(k)], 5))
    return rate


def check(model: bundle.Bundle, sources: Sources, folder: Path) -> None:
    """Raises AssertionError where an answer is not right."""
    found = Predictor(model).predict(sources)
    features = model.preparation.features(sources)
    assert features.usable.all()
    weight, mean, sigma = Session(model).marginals(features.inputs)
    frame = model.frame(features.anchor, None)
    for k, level in enumerate(LEVELS):
        exact = mixture_quantiles(weight.T, mean[0].T, sigma[0].T, np.full(len(sources), level))
        off = np.abs(found.quantiles[:, 0, k] - frame.values(exact[None])[0]).max()
        assert off < 1e-4, off
    path, out = write(folder / "few.parquet", sources), folder / "out.parquet"
    predict_file(model, SDSS, path, out)
    assert np.abs(read_predictions(out).point - found.point).max() < 1e-4


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="sdss-redshift")
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    model, sources = bundle.load(args.model), galaxies(args.n)
    predictor, few = Predictor(model), sources.take(slice(0, 4096))
    some = sources.take(slice(0, min(20_000, args.n)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check(model, few, folder)
        path = write(folder / "in.parquet", sources)
        out = folder / "out.parquet"
        calls: dict[str, tuple[int, Callable[[], object]]] = {
            "in memory, preparation and three quantiles": (args.n, lambda: predictor.predict(sources)),
            "the same with joint posteriors": (len(some), lambda: predictor.predict(some, posterior=True)),
            "the same with densities for qp": (len(some), lambda: predictor.predict(some, redshift_pdf=True)),
            "file to file": (args.n, lambda: predict_file(model, SDSS, path, out)),
            "preparation alone": (args.n, lambda: model.preparation.features(sources)),
        }
        rate = {what: n / least(call, args.repeats) for what, (n, call) in calls.items()}
    top, flop = peak(), network_flop(model)
    for what, value in rate.items():
        print(f"{what:46} {value:>10,.0f} galaxies/s of processor time")
    first = next(iter(rate.values()))
    print(f"{'matrix-product peak of this core':46} {top:>10.1f} GFLOP/s of processor time")
    print(f"{'products of the networks':46} {flop / 1e6:>10.3f} MFLOP a galaxy")
    print(f"{'fraction of the peak, in memory':46} {first * flop / 1e9 / top:>10.3f}")
    print(f"{'bar, in memory':46} {BAR:>10,} galaxies/s, {'met' if first >= BAR else 'not met'}")
    return 0 if first >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
