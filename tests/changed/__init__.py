"""Tests of sending only what changed, of what is gone, and of undoing a run."""
