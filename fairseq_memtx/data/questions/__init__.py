"""Questions about documents as a model reads them: cut into rows, and answered."""
