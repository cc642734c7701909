"""How many sources a second are classified from photometry and an image: the published network and ours, on one core.

    OMP_NUM_THREADS=1 python benchmarks/classes.py [--n 20000] [--repeats 3] [--json FILE]

First what ONNX Runtime says is held against PyTorch, and a prediction file to file against one in memory. The published
network (Feng et al. 2025) has its first weights: how fast it is does not depend on them. Ours is the shipped
star-qso-galaxy. Each is timed alone, in memory with its preparation, and ours from a catalogue and a file of cutouts to
the table, beside what reading those files alone takes; and from a tile and a catalogue, `galprism cutouts` and then
`galprism predict`, beside what reading the tile and the catalogue takes. Sources are stars and galaxies as simple as
can be: what is in a pixel does not change the work. The number of operations of a network is counted from its layers.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from torch import nn

from galprism import bundle, recipes, surveys
from galprism.cli.main import main as galprism
from galprism.config import fill
from galprism.data import Cutouts, Photometry, Sources
from galprism.data.cutout_file import CutoutFile, CutoutWriter
from galprism.data.tables import open_table, read_predictions, write_table
from galprism.infer import ClassPredictor, predict_file
from galprism.nets import CLASSIFIERS, Classifier, classifiers_to_onnx
from galprism.prep.classes import ClassFeatures, ClassPreparation
from rates import best_rate, fastest_peak

TILE = 8000
"""px, a side of the tile that sources are cut out of."""
AGREE = 1e-4
"""Of a logit; and of a probability from file."""
SIZE, SCALE = 41, 0.2


def sources(n: int, seed: int = 1) -> Sources:
    """Gaussian blobs with random colours and KiDS's noise."""
    rng, survey = np.random.default_rng(seed), surveys.get("kids")
    sigma = survey.sky_err()
    flux = 10 ** (0.4 * (31.4 - rng.uniform(18, 22, (n, 1)))) * np.exp(rng.normal(0, 0.4, (n, len(sigma))))
    flux += sigma * rng.standard_normal(flux.shape)
    photometry = Photometry(
        flux.astype(np.float32), np.broadcast_to(sigma**-2.0, flux.shape).astype(np.float32), survey.band_names
    )
    x = np.arange(SIZE) - SIZE // 2
    width = rng.uniform(1.5, 4.0, n).astype(np.float32)
    line = np.exp(-0.5 * (x / width[:, None]) ** 2).astype(np.float32)
    image = line[:, :, None] * line[:, None, :] * (flux[:, 2] / (2 * np.pi * width**2))[:, None, None]
    image += 8.0 * rng.standard_normal(image.shape, dtype=np.float32)
    pixels = image[:, None].astype(np.float32)
    fwhm = np.full((n, 1), 0.7, np.float32)
    cutouts = Cutouts(pixels, np.full_like(pixels, 8.0**-2), ("r",), SCALE, fwhm)
    return Sources(id=np.arange(n), photometry=photometry, cutouts=cutouts)


def published(seen: Sources) -> tuple[bundle.Bundle, Classifier]:
    """A bundle of the published network with its first weights, and the network."""
    recipe = recipes.load("kids-mnn")
    assert recipe.classes is not None
    usual = dict(zip(surveys.get("kids").band_names, surveys.get("kids").sky_err().tolist(), strict=True))
    preparation = ClassPreparation.fit(recipe.classes.inputs, seen, "r", usual)
    config = fill(CLASSIFIERS["kids"][1], {}, "net")
    network = Classifier("kids", config, len(preparation.input_names), 1, SIZE, seed=1).eval()
    held = {"classes": ["star", "qso", "galaxy"], "shares": [1 / 3] * 3, "tempering": {}}
    made = replace(
        bundle.load("star-qso-galaxy"),
        name="kids-mnn",
        preparation=preparation,
        coordinates=held,
        model=classifiers_to_onnx([network]),
        network={"weights": network.n_weights},
    )
    return made, network


def operations(network: nn.Module, inputs: tuple[torch.Tensor, ...]) -> float:
    """Multiplications and additions a source in matrix products and convolutions."""
    total = 0.0

    def count(module: nn.Module, seen: tuple[torch.Tensor, ...], found: torch.Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += 2.0 * found[0].numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            total += 2.0 * module.weight.numel() * found.shape[0] / len(inputs[0])

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return total


def tensors(features: ClassFeatures, rows: slice) -> tuple[torch.Tensor, ...]:
    assert features.image is not None
    return tuple(torch.from_numpy(np.ascontiguousarray(part[rows])) for part in (
        features.inputs, features.image, features.there[:, None]
    ))  # fmt: skip


def made_tile(folder: Path, columns: dict[str, np.ndarray]) -> None:
    """A tile of noise, and the catalogue with a place on it for every source."""
    rng = np.random.default_rng(2)
    fits.writeto(folder / "tile.fits", 8.0 * rng.standard_normal((TILE, TILE), dtype=np.float32))
    place = {axis: rng.uniform(SIZE, TILE - SIZE, len(columns["id"])) for axis in ("x", "y")}
    write_table(folder / "tile.parquet", columns | place, units=dict.fromkeys(list(columns)[1:], "nJy"))


def floor_of(path: Path) -> None:
    """Read a table, and do nothing with it."""
    with open_table(path) as table:
        for _ in table.batches(list(table.columns), 8192):
            pass


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    seen = sources(args.n)
    paper, network = published(seen)
    ours = bundle.load("star-qso-galaxy")
    predictors = {"kids-mnn": ClassPredictor(paper), "ours": ClassPredictor(ours)}
    few = slice(0, 256)
    found: dict[str, float | str] = {}

    features = {name: one.preparation.features(seen) for name, one in predictors.items()}
    with torch.no_grad():
        torch_says = network(*tensors(features["kids-mnn"], few)).numpy()
    off = float(
        np.abs(
            predictors["kids-mnn"].logits(predictors["kids-mnn"].preparation.features(seen.take(few))) - torch_says
        ).max()
    )
    found["the published network, ONNX Runtime against PyTorch, largest logit"] = off
    if not off < AGREE:
        raise SystemExit(f"ONNX Runtime and PyTorch differ by {off:.2e}; at most {AGREE:g} is right")

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        assert seen.photometry is not None
        assert seen.cutouts is not None
        columns: dict[str, np.ndarray] = {"id": seen.id}
        for k, band in enumerate(seen.photometry.bands):
            columns |= {f"flux_{band}": seen.photometry.flux[:, k], f"flux_err_{band}": seen.photometry.flux_err[:, k]}
        write_table(folder / "table.parquet", columns, units=dict.fromkeys(list(columns)[1:], "nJy"))
        with CutoutWriter(folder / "cutouts.h5") as writer:
            writer.write(seen.id, seen.cutouts)

        def whole() -> None:
            predict_file(
                ours,
                surveys.get("kids"),
                folder / "table.parquet",
                folder / "out.parquet",
                cutouts=folder / "cutouts.h5",
            )

        def floor() -> None:
            floor_of(folder / "table.parquet")
            for _ in CutoutFile(folder / "cutouts.h5").batches(8192):
                pass

        whole()
        memory = predictors["ours"].predict(seen)
        again = read_predictions(folder / "out.parquet")
        off = max(float(np.abs(again.extra[f"prob_{k}"] - memory.extra[f"prob_{k}"]).max()) for k in ("star", "qso"))
        found["file against memory, largest probability"] = off
        if not off < AGREE:
            raise SystemExit(f"file and memory differ by {off:.2e}; at most {AGREE:g} is right")

        top = fastest_peak()
        found["matrix-product peak of this core, GFLOP/s"] = top
        own = bundle.load("star-qso-galaxy").network
        config = fill(
            CLASSIFIERS["fusion"][1],
            {k: own[k] for k in ("channels", "image_features", "width", "blocks")} | {"activation": own["activation"]},
            "net",
        )
        ours_network = Classifier("fusion", config, len(ours.preparation.input_names), 1, SIZE).eval()
        for name, one, size in (("kids-mnn", network, min(args.n, 2048)), ("ours", ours_network, args.n)):
            rows = slice(0, size)
            part = replace(
                features[name],
                inputs=features[name].inputs[rows],
                image=features[name].image[rows],
                there=features[name].there[rows],
            )
            flop = operations(one, tensors(features[name], slice(0, 8)))
            alone = best_rate(lambda p=part, n=name: predictors[n].logits(p), size, args.repeats)
            some = seen.take(rows)
            in_memory = best_rate(lambda s=some, n=name: predictors[n].predict(s), size, args.repeats)
            found[f"{name}: weights"] = float(one.n_weights)
            found[f"{name}: MFLOP a source"] = flop / 1e6
            found[f"{name}: network alone, sources/s"] = alone
            found[f"{name}: network alone, fraction of the peak"] = alone * flop / 1e9 / top
            found[f"{name}: in memory with preparation, sources/s"] = in_memory
        bare = replace(seen, cutouts=None)
        found["ours, photometry alone, in memory, sources/s"] = best_rate(
            lambda: predictors["ours"].predict(bare), args.n, args.repeats
        )
        found["ours over kids-mnn, network alone"] = (
            found["ours: network alone, sources/s"] / found["kids-mnn: network alone, sources/s"]
        )
        found["ours over kids-mnn, in memory"] = (
            found["ours: in memory with preparation, sources/s"]
            / found["kids-mnn: in memory with preparation, sources/s"]
        )
        found["ours, catalogue and cutouts to table, sources/s"] = best_rate(whole, args.n, args.repeats)
        found["floor, reading both files, sources/s"] = best_rate(floor, args.n, args.repeats)
        made_tile(folder, columns)
        words = ["--x", "x", "--y", "y", "--pixel-scale", "0.2", "--zeropoint", "r=31.4", "--fwhm", "r=0.7"]
        cut = [
            "cutouts",
            f"{folder}/tile.parquet",
            *words,
            "--image",
            f"r={folder}/tile.fits",
            "-o",
            f"{folder}/tile.h5",
        ]
        ask = ["predict", "star-qso-galaxy", f"{folder}/tile.parquet", "--cutouts", f"{folder}/tile.h5"]

        def from_tile() -> None:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                if galprism(cut) or galprism([*ask, "-o", f"{folder}/classes.parquet"]):
                    raise RuntimeError("a command failed on the tile")

        def tile_floor() -> None:
            with fits.open(folder / "tile.fits", memmap=False) as opened:
                opened[0].data.sum()
            floor_of(folder / "tile.parquet")

        found["ours, tile and catalogue to table, sources/s"] = best_rate(from_tile, args.n, args.repeats)
        found["floor, reading tile and catalogue, sources/s"] = best_rate(tile_floor, args.n, args.repeats)
    found |= {"python": platform.python_version(), "onnxruntime": version("onnxruntime"), "numpy": np.__version__}
    for name, value in found.items():
        print(f"{name:<66} {value if isinstance(value, str) else f'{value:,.4g}' if value < 100 else f'{value:,.0f}'}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
