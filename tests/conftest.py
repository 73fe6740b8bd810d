"""What holds for every test."""

from hypothesis import settings

# A first example may compile kernels for seconds; pytest's own timeout catches what hangs.
settings.register_profile("springtide", deadline=None)
settings.load_profile("springtide")
