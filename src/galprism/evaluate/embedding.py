"""Points of many numbers laid out in a plane: what lies together there is alike. Needs umap-learn or scikit-learn."""

from __future__ import annotations

import warnings

import numpy as np

from galprism.errors import RequestError

METHODS = ("umap", "tsne")
PERPLEXITY = 30.0
"""Of t-SNE: about how many neighbours a point has."""


def embedding(array: np.ndarray, method: str = "umap", seed: int = 0) -> np.ndarray:
    """Places (N, 2), float32, of the rows of an array (N, F): what a network made of sources, colours, spectra.

    method : umap (McInnes et al. 2018) or tsne (van der Maaten & Hinton 2008, JMLR, 9, 2579; begun from the first two
    principal components). The same rows and seed give the same places. Raises RequestError for another method, for an
    array that is not of finite rows of numbers, and for fewer than four.
    """
    rows = np.asarray(array, np.float32)
    if method not in METHODS:
        raise RequestError(f"method {method!r}; accepted: {', '.join(METHODS)}")
    if rows.ndim != 2 or len(rows) < 4:
        raise RequestError(f"an array of shape {rows.shape}; accepted: (N, F), four rows or more")
    odd = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(odd):
        raise RequestError(f"{len(odd)} rows are not finite, the first of them row {odd[0]}; accepted: finite numbers")
    if method == "umap":
        return neighbours_map(rows, seed=seed)[0]
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(rows)


def neighbours_map(reference: np.ndarray, *others: np.ndarray, seed: int = 0) -> list[np.ndarray]:
    """Places (N, 2) of `reference` (N, F) in a plane that keeps neighbours together (UMAP, McInnes et al. 2018), and
    of each of `others` (M, F) in the same plane."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # umap-learn's own: one thread where the seed is given; numba's of its bitcode
        from umap import UMAP

        fitted = UMAP(random_state=seed, n_neighbors=min(15, len(reference) - 1)).fit(reference)
        return [fitted.embedding_, *(fitted.transform(other) for other in others)]
