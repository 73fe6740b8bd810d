"""Event files: read as batches of columns, and looked over before anything learns from them.

`reading` over `formats` and `times`; `inspection` and `suspects` say what is wrong with a file; `synthetic` makes one.
"""
