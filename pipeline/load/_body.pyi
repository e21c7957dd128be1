"""Write rows as the JSON of an import."""

import polars as pl

def rows_json(frame: pl.DataFrame, names: tuple[str, ...], /) -> bytes:
    """Write a frame of text columns as a JSON array of objects, the columns in their order; null becomes an empty text.

    The names of the frame's own columns do not count; they must hold no NUL, which polars ends the process for. UTF-8,
    without spaces; quotes, backslashes and control characters are escaped. Raises TypeError for a column that is no text,
    ValueError when names and columns are not as many.
    """
