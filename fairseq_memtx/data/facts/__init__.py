"""Stories in noise: rows of any length, of which a window is made without the rest."""
