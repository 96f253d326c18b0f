"""Which wheels each platform's zip carries, and how the zips are built: ``python -m wheels``."""
