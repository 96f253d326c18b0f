"""Batches: which clips to make, in what order and on which machine."""
