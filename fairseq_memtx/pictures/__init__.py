"""Pictures of memory and of training, with matplotlib."""
