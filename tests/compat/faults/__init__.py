"""What is wrong with fairseq where nobody mends it, a function a file of ``compat/``.

Each is true where the fault shows. Nothing of the plugin is imported here but what mends: the same
functions are asked before and after.
"""
