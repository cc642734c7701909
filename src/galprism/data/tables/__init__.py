"""Tables in and out: FITS, Parquet, ECSV, VOTable, CSV and HDF5, one file a format behind one small interface."""

from galprism.data.tables.base import BATCH_ROWS, Batch, TableReader
from galprism.data.tables.columns import ColumnInfo
from galprism.data.tables.formats import FORMATS, open_table
from galprism.data.tables.writing import TableWriter, check_writable, write_table

__all__ = [
    "BATCH_ROWS",
    "FORMATS",
    "Batch",
    "ColumnInfo",
    "TableReader",
    "TableWriter",
    "check_writable",
    "open_table",
    "write_table",
]
