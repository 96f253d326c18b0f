"""What the add-on knows: the artist's settings and preferences, what was captured, and what runs now."""
