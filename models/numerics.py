"""How PyTorch computes: the same events must give the same bits."""

import torch


def fix_numerics() -> None:
    """Make PyTorch deterministic and single-threaded, for the whole process.

    Every model that computes with PyTorch calls this when it is built.
    """
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
