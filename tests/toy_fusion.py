"""Small galaxies of the bench whose image says one hidden number and whose spectrum another."""

import numpy as np

from galprism.recipes.fusion.seen import Seen

SIDE, PIXELS, BANDS = 8, 64, 2


def toy_seen(n=(240, 60, 200), seed=0, noise=0.1) -> Seen:
    """Targets `sum`, that of both numbers, and `other`, the first less twice the second."""
    rng = np.random.default_rng(seed)
    total = sum(n)
    light, line = rng.normal(size=(2, total))
    image = noise * rng.normal(size=(total, BANDS, SIDE, SIDE))
    image[:, :, 3:5, 3:5] += 2 + 0.5 * light[:, None, None, None]
    pattern = np.sin(np.arange(PIXELS))
    spectrum = line[:, None] * pattern + noise * rng.normal(size=(total, PIXELS))
    targets = np.stack([light + line, light - 2 * line], axis=1)
    return Seen(
        photometry=np.zeros((total, 2), np.float32),
        photometry_names=("a", "b"),
        components=np.zeros((total, 2), np.float32),
        spectrum=spectrum.astype(np.float32),
        image=image.astype(np.float16),
        targets=targets,
        names=("sum", "other"),
        coarse=np.zeros(total, bool),
        counts=n,
    )
