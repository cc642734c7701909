"""Bundle + sources -> redshifts, from whatever is there of each: photometry, an image, a spectrum.

A source with a spectrum is looked at by its spectrum, all others by the network. Where there are both, what the
network tells of the redshift is what is thought of a galaxy before its spectrum is seen. The network knows galaxies
alone: stars and quasars are thought of as without it, and there is no class without a spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from galprism.bundle import Bundle
from galprism.data import CLASSES, LEVELS, Predictions, Sources
from galprism.data.classes import class_columns
from galprism.errors import RequestError
from galprism.flags import Flag
from galprism.infer.options import check_levels
from galprism.infer.predictor import Predictor
from galprism.infer.redshift import Density
from galprism.infer.redshift_file import COLUMN as PDF_COLUMN
from galprism.infer.session import describe_model
from galprism.infer.spectroscopic import SpectrumRedshifts
from galprism.prep.binned_spectra import binned

CHUNK_ROWS = 256
"""Sources that are looked at together where there are spectra."""
WRONG = 0.1
"""How often the network may be wrong of a galaxy: by so much of the prior, its light tells nothing of the redshift."""
NOT_TRUSTED = Flag.UNLIKE_TRAINING | Flag.INPUT_OUT_OF_RANGE | Flag.NOT_INFERRED | Flag.POSITION_MISMATCH
"""Where it tells nothing of what the spectrum is of."""
NOT_OURS = Flag.NOT_A_GALAXY | Flag.REDSHIFT_MISSING | Flag.REDSHIFT_WARNING | Flag.REDSHIFT_MISMATCH
"""Flags of reading that speak of redshifts which are not taken, and of classes that are looked for here."""
OF_SPECTRA = "reduced_chi2", "redshift_margin"
"""Columns that are NaN without a spectrum."""


class RedshiftPredictor:
    """A bundle of redshifts from light and spectra, ready to infer; it may be used from several threads at once."""

    def __init__(self, bundle: Bundle) -> None:
        """Raises RequestError for a bundle that finds no redshifts of spectra, and as Predictor does."""
        if bundle.spectroscopic is None:
            raise RequestError(f"bundle {bundle.name} finds no redshifts of spectra; accepted: Predictor")
        self.bundle = bundle
        self._of_spectra = SpectrumRedshifts(bundle.spectroscopic)
        self._network = Predictor(bundle, cells=self._of_spectra.edges)

    @property
    def redshifts_asked(self) -> Density:
        """The redshifts that are looked at, of no source."""
        return self._network.redshifts_asked

    def redshifts(self, sources: Sources) -> Density:
        """The posterior of each source's redshift, in cells. Raises RequestError as `predict` does."""
        found = self.predict(sources, (), redshift_pdf=True).extra[PDF_COLUMN]
        return Density(self.redshifts_asked.redshift, found)

    def predict(self, sources: Sources, levels: Sequence[float] = LEVELS, *, redshift_pdf: bool = False) -> Predictions:
        """Redshifts and classes, row for row; ids that stand in several rows are not looked for.

        `redshift` is the most probable one where there is a spectrum, which need not be the median, and the mean of the
        posterior elsewhere. redshift_pdf : keep how probable each cell of redshift is, in a column (N, Z) of that name.
        Raises RequestError where the sources have no photometry, no cutouts and no spectra, or lack a band altogether.
        """
        levels = check_levels(levels)
        if all(getattr(sources, block) is None for block in self.bundle.blocks):
            raise RequestError(f"the sources have no {', no '.join(self.bundle.blocks)}; accepted: any of them")
        if sources.spectra is None:
            return self._by_light(sources, levels, redshift_pdf)
        starts = range(0, len(sources), CHUNK_ROWS) or (0,)
        parts = [sources.take(slice(start, start + CHUNK_ROWS)) for start in starts]
        return Predictions.joined([self._together(part, levels, redshift_pdf) for part in parts])

    def _by_light(self, sources: Sources, levels: tuple[float, ...], redshift_pdf: bool) -> Predictions:
        """What the network says, as of sources without spectra; nulls where there is nothing that it sees."""
        n = len(sources)
        assert sources.flags is not None
        if any(getattr(sources, block) is not None for block in self.bundle.preparation.blocks):
            found = self._network.predict(sources, levels, redshift_pdf=redshift_pdf)
            point, quantiles, n_bands, extra = found.point, found.quantiles, found.n_bands, found.extra
            flags = found.flags
        else:
            point, quantiles = np.full((n, 1), np.nan, np.float32), np.full((n, 1, len(levels)), np.nan, np.float32)
            n_bands, extra = np.zeros(n, np.int16), {}
            if redshift_pdf:
                extra[PDF_COLUMN] = np.zeros((n, len(self._of_spectra.edges) - 1), np.float32)
            flags = sources.flags | np.uint32(Flag.NO_PHOTOMETRY | Flag.IMAGE_MISSING | Flag.NOT_INFERRED)
        none = {name: np.full(n, np.nan, np.float32) for name in OF_SPECTRA}
        return Predictions(
            id=sources.id,
            names=("redshift",),
            point=point,
            flags=(flags | np.uint32(Flag.SPECTRUM_MISSING)) & ~np.uint32(NOT_OURS),
            n_bands=n_bands,
            levels=levels,
            quantiles=quantiles if levels else None,
            ra=sources.ra,
            dec=sources.dec,
            extra=class_columns(np.full((n, len(CLASSES)), np.nan)) | none | extra,
            meta=describe_model(self.bundle)
            | {"method": "network, spectra at rest", "class_shares": self._of_spectra.by.shares}
            | {"definitions": {name: entry["definition"] for name, entry in self.bundle.definitions.items()}},
        )

    def _together(self, sources: Sources, levels: tuple[float, ...], redshift_pdf: bool) -> Predictions:
        """Of sources of which some have spectra."""
        told = self._by_light(sources, levels, redshift_pdf=True)
        light = told.extra[PDF_COLUMN] if redshift_pdf else told.extra.pop(PDF_COLUMN)
        assert sources.spectra is not None
        spectra = binned(sources.spectra)
        rows = np.flatnonzero(spectra.there)
        if not len(rows):
            return told
        favour = self._favour(light[rows], told.flags[rows])
        found = self._of_spectra(spectra.take(rows), levels, favour, cells=redshift_pdf)
        told.point[rows, 0] = found.point
        if told.quantiles is not None:
            told.quantiles[rows, 0] = found.quantiles
        told.flags[rows] &= ~np.uint32(Flag.SPECTRUM_MISSING | Flag.NOT_INFERRED)
        told.flags[rows] |= found.flags
        columns = class_columns(found.classes) | dict(zip(OF_SPECTRA, (found.reduced_chi2, found.margin), strict=True))
        for name, column in columns.items():
            told.extra[name][rows] = column
        if redshift_pdf:
            light[rows] = found.cells
        return told

    def _favour(self, light: np.ndarray, flags: np.ndarray) -> np.ndarray:
        """(N, Z), see SpectrumRedshifts: of what the network tells, (N, Z), with its flags."""
        nothing = (flags & np.uint32(NOT_TRUSTED)) > 0
        return np.where(nothing[:, None], 1.0, (1.0 - WRONG) * light / self._of_spectra.flat + WRONG)
