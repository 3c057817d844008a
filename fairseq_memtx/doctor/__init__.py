"""What works on this machine, and what to do about the rest.

Nothing is imported before it is looked at: what is missing or broken is what is looked for.
"""
