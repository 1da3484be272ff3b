"""What numbers a forward pass is computed in: fp32, bf16 or fp16, where the processor has them."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.errors import UsageError
from harness.torch.options import Precision

Exact = Literal["fp32", "bf16", "fp16"]


def computes_bf16(device: torch.device) -> bool:
    """Whether the processor itself multiplies in bf16; else it is slower than fp32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    # oneDNN says yes to processors that only convert; these two compute
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def chosen(precision: Precision, *, device: torch.device) -> Exact:
    """The precision to compute in; `UsageError` where the device has not what is demanded."""
    if precision == "auto":
        return "bf16" if computes_bf16(device) else "fp32"
    if precision == "bf16" and not computes_bf16(device):
        raise UsageError(f"this {device.type} computes no bf16; set training.precision to auto")
    if precision == "fp16" and device.type != "cuda":
        raise UsageError(
            f"fp16 needs a CUDA device, this is {device.type}; set training.precision to auto"
        )
    return precision


def autocast(precision: Exact, *, device: torch.device) -> AbstractContextManager[object]:
    """Forward passes inside are computed in the precision, where torch deems that safe."""
    if precision == "fp32":
        return nullcontext()
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    return torch.autocast(device.type, dtype=dtype)


def attention(
    query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None = None, dropout: float = 0.0
) -> Tensor:
    """Scaled dot-product attention, in fp32 on a CPU, where bf16 is up to ten times slower.

    `query` `[..., T, D]`, `key` and `value` `[..., S, D]`, `mask` added to the scores
    `[..., T, S]` (0 or -inf; as floats it is a third faster on a CPU than as bool) or None.
    """
    if query.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return F.scaled_dot_product_attention(query, key, value, mask, dropout_p=dropout)
    with torch.autocast("cpu", enabled=False):
        exact = (query.float(), key.float(), value.float())
        mask = mask.float() if mask is not None and mask.is_floating_point() else mask
        return F.scaled_dot_product_attention(*exact, mask, dropout_p=dropout)
