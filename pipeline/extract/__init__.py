"""Read dump files into batches of text, without losing or bending a record."""

from pipeline.extract.extraction import Extraction
from pipeline.extract.files import find_files, look_for
from pipeline.extract.reading import Piece
from pipeline.extract.refusal import Refused, grouped

__all__ = ["Extraction", "Piece", "Refused", "find_files", "grouped", "look_for"]
