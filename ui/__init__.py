"""What the artist sees: panels, property groups, preferences."""
