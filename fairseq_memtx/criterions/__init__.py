"""Criterions; importing registers them. fairseq does not import this folder by itself."""
