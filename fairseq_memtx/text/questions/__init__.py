"""Questions about documents: reading them from the files of others, and scoring answers."""
