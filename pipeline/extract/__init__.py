"""Read dump files into batches of text, without losing or bending a record."""

from pipeline.extract.extraction import Extraction
from pipeline.extract.files import find_files, look_for
from pipeline.extract.refusal import grouped

__all__ = ["Extraction", "find_files", "grouped", "look_for"]
