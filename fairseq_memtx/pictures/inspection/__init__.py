"""Pictures of what `inspection` measured: a figure, a sentence and tables of each kind."""
