"""Questions about documents: reading them, cutting them into rows, answers and their scores."""
