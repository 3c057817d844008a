"""Whether everything works on a GPU: what ``scripts/gpu_check.sh`` starts."""
