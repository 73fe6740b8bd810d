"""How PyTorch computes: the same events must give the same bits."""

import torch


def fix_numerics() -> None:
    """Make PyTorch deterministic and single-threaded, for the whole process.

    Every model that computes with PyTorch calls this when it is built.
    """
    torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms(True), without importing the compiler
    torch.set_num_threads(1)
