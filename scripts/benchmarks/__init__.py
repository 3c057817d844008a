"""How fast the models are, side by side with others."""
