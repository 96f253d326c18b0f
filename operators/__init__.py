"""One file for each thing that the artist can press. Operators are thin: read the context, call, report."""
