"""Tables in and out: FITS, Parquet, ECSV, VOTable, CSV and HDF5, one file a format behind one small interface."""

from galprism.data.tables.base import BATCH_ROWS, PASSBANDS, Batch, TableReader
from galprism.data.tables.catalogue import CatalogueWriter, catalogue_columns, write_catalogue
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.formats import FORMATS, open_table
from galprism.data.tables.ids import Match, match_ids
from galprism.data.tables.predictions import (
    PredictionsWriter,
    predictions_columns,
    quantile_column,
    read_predictions,
    write_predictions,
)
from galprism.data.tables.truth import aligned, read_truth, truth_columns, write_truth
from galprism.data.tables.writing import TableWriter, check_apart, check_writable, write_table

__all__ = [
    "BATCH_ROWS",
    "FORMATS",
    "PASSBANDS",
    "Batch",
    "CatalogueWriter",
    "ColumnInfo",
    "Match",
    "PredictionsWriter",
    "TableReader",
    "TableWriter",
    "aligned",
    "catalogue_columns",
    "check_apart",
    "check_writable",
    "match_ids",
    "open_table",
    "predictions_columns",
    "quantile_column",
    "read_predictions",
    "read_truth",
    "truth_columns",
    "write_catalogue",
    "write_predictions",
    "write_table",
    "write_truth",
]
