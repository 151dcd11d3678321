"""Exports of what a network has done: flat rows as CSV, JSON or Parquet, written piece by piece. Pure."""

from csms.export.table import Column, Table
from csms.export.writers import FORMATS, Format, ParquetMissing, RowWriter, make_writer

__all__ = ["FORMATS", "Column", "Format", "ParquetMissing", "RowWriter", "Table", "make_writer"]
