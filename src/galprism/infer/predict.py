"""Bundle + Sources -> Predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from galprism.bundle import Bundle
from galprism.data import LEVELS, Predictions, Sources
from galprism.flags import Flag
from galprism.infer.duplicates import repeated
from galprism.infer.options import check_options
from galprism.infer.own_models import Models
from galprism.infer.predictor import Predictor
from galprism.infer.redshift_predictor import RedshiftPredictor


def predict(
    bundle: Bundle,
    sources: Sources,
    levels: Sequence[float] = LEVELS,
    *,
    posterior: bool = False,
    infer_redshift: bool = False,
    models: Models | None = None,
) -> Predictions:
    """What a bundle says of sources: every row kept, nulls and flags where nothing can be inferred.

    levels : of the quantiles, for models that have a distribution; posterior : keep the joint posteriors as well, in a
    column of bytes that galprism.infer.Posteriors reads; infer_redshift : infer the redshifts that are missing
    or uncertain too, which the joint posteriors are then of as well; models : draws of the bundle's population
    (galprism.fit.ModelCache), to check answers with known redshifts against, which gives a column `predictive_p`
    (galprism.infer.predictive).
    Raises RequestError where the sources lack photometry, redshifts or a band altogether, where the bundle has no
    posteriors to keep or cannot infer redshifts, and where the models are not of the bundle.
    """
    if bundle.spectroscopic is not None:
        check_options(bundle, posterior, infer_redshift)
        predictions = RedshiftPredictor(bundle).predict(sources, levels)
    else:
        how = {"posterior": posterior, "infer_redshift": infer_redshift}
        predictions = Predictor(bundle, models).predict(sources, levels, **how)
    predictions.flags[repeated(sources.id)] |= np.uint32(Flag.DUPLICATE_ID)
    return predictions
