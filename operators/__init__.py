"""One file for each thing the artist can press; thin: read the context, call, report."""
