"""What the artist sees: the panels of the sidebar and the page of the preferences."""
