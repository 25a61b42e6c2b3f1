"""Operations to scan that move entries: indexing, joining, windows, images and spectra."""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

from scanned_operation import Operation, rows, weights

__all__ = ["IMAGES", "INDEXING", "SPECTRA"]

_ORDER = torch.tensor([2, 0, 3, 2])


def _order(y: Tensor) -> Tensor:
    return _ORDER.expand(y.shape[0], -1)


def _put(y: Tensor) -> Tensor:
    out = torch.zeros(y.shape[0], 5, dtype=y.dtype)
    out[:, _ORDER[:3]] = y[:, :3]
    out[:, 1] += y[:, 3]
    return out


def _row(row: Tensor) -> Tensor:
    return row.sin() * row.sum()


def _sequence(y: Tensor) -> Tensor:
    return y.view(-1, 1, 8)


def _image(y: Tensor) -> Tensor:
    return y.view(-1, 1, 4, 4)


def _last(y: Tensor) -> Tensor:
    return y.view(-1, 2, 3, 3).to(memory_format=torch.channels_last)


def _volume(y: Tensor) -> Tensor:
    return y.view(-1, 1, 2, 2, 3)


def _grid(y: Tensor) -> Tensor:
    return torch.tanh(weights(1, 3, 3, 2)).expand(y.shape[0], -1, -1, -1)


def _affine(y: Tensor) -> Tensor:
    theta = y.view(-1, 2, 3) / 2
    return F.affine_grid(theta, [theta.shape[0], 1, 2, 3], align_corners=False)


INDEXING: dict[str, Operation] = {
    "advanced indexing": Operation(of=lambda y: y[:, _ORDER]),
    "as_strided": Operation(of=rows(lambda row: row.as_strided((3, 2), (1, 1)))),
    "assignment by index": Operation(of=_put),
    "broadcast_to": Operation(of=lambda y: y[:, None].broadcast_to(-1, 2, -1)),
    "cartesian_prod": Operation(of=rows(lambda row: torch.cartesian_prod(row[:2], row[2:]))),
    "cat": Operation(of=lambda y: torch.cat([y, y.sin()], 1)),
    "chunk": Operation(of=lambda y: torch.mul(*y.chunk(2, 1))),
    "combinations": Operation(of=rows(torch.combinations)),
    "diag_embed": Operation(of=lambda y: y.diag_embed() @ weights(4, 4)),
    "diagonal": Operation(of=lambda y: y.view(-1, 2, 2).diagonal(dim1=1, dim2=2)),
    "diagonal_scatter": Operation(
        of=lambda y: y.view(-1, 2, 2).diagonal_scatter(y[:, :2].exp(), 0, 1, 2)
    ),
    "flip": Operation(of=lambda y: y.flip(1) * y),
    "gather": Operation(of=lambda y: y.gather(1, _order(y))),
    "index_add": Operation(of=lambda y: y.index_add(1, _ORDER, y.exp())),
    "index_copy": Operation(of=lambda y: y.index_copy(1, _ORDER[:3], y[:, :3].exp())),
    "index_fill": Operation(of=lambda y: y.index_fill(1, _ORDER[:2], 0.5)),
    "index_put": Operation(
        of=lambda y: y.mT.contiguous().index_put((_ORDER,), y.mT.exp(), accumulate=True).mT
    ),
    "index_reduce": Operation(
        of=lambda y: y.index_reduce(1, _ORDER, y.exp(), "mean", include_self=True)
    ),
    "index_select": Operation(of=lambda y: y.index_select(1, _ORDER)),
    "masked_fill": Operation(of=lambda y: y.masked_fill(y > 0.3, 0.1)),
    "masked_scatter": Operation(of=rows(lambda row: row.masked_scatter(_ORDER > 0, row.exp()))),
    "masked_select": Operation(of=lambda y: y.masked_select(_order(y) > 0).view(-1, 3)),
    "meshgrid": Operation(
        of=rows(lambda row: torch.stack(torch.meshgrid(row[:2], row[2:], indexing="ij")).prod(0))
    ),
    "narrow": Operation(of=lambda y: y.narrow(1, 1, 2)),
    "one_hot product": Operation(of=lambda y: y[:, None] * F.one_hot(_ORDER)),
    "pad, circular": Operation(of=lambda y: F.pad(y[:, None], (1, 2), mode="circular")),
    "pad, constant": Operation(of=lambda y: F.pad(y, (1, 2), value=0.5)),
    "pad, reflect": Operation(of=lambda y: F.pad(y[:, None], (1, 2), mode="reflect")),
    "pad, replicate": Operation(of=lambda y: F.pad(y[:, None], (1, 2), mode="replicate")),
    "permute": Operation(of=lambda y: y.view(-1, 2, 2).permute(0, 2, 1) @ weights(2, 3)),
    "put": Operation(of=rows(lambda row: row.put(_ORDER, row.exp(), accumulate=True))),
    "repeat": Operation(of=lambda y: y.repeat(1, 2)),
    "repeat_interleave": Operation(of=lambda y: y.repeat_interleave(2, dim=1)),
    "roll": Operation(of=lambda y: y.roll(1, 1) * y),
    "rot90": Operation(of=lambda y: y.view(-1, 2, 2).rot90(1, (1, 2))),
    "scatter": Operation(of=lambda y: y.scatter(1, _order(y)[:, :2], y[:, :2].exp())),
    "scatter_add": Operation(of=lambda y: y.scatter_add(1, _order(y), y.exp())),
    "scatter_reduce amax": Operation(
        of=lambda y: y.scatter_reduce(1, _order(y), y.exp(), "amax", include_self=True)
    ),
    "scatter_reduce mean": Operation(
        of=lambda y: y.scatter_reduce(1, _order(y), y.exp(), "mean", include_self=True)
    ),
    "scatter_reduce prod": Operation(
        of=lambda y: y.scatter_reduce(1, _order(y), y.exp(), "prod", include_self=True)
    ),
    "scatter_reduce prod with a zero": Operation(
        of=lambda y: y.scatter_reduce(1, _order(y), y.sin(), "prod", include_self=True),
        zeros=(2,),
    ),
    "segment_reduce": Operation(
        of=lambda y: (
            torch.segment_reduce(
                y.mT.contiguous(), "sum", lengths=torch.tensor([1, 3]), unsafe=True
            ).mT
        )
    ),
    "select_scatter": Operation(of=lambda y: y.select_scatter(y[:, 0].exp(), 1, 2)),
    "slice_scatter": Operation(of=lambda y: y.slice_scatter(y[:, :2].exp(), 1, 1, 3)),
    "split": Operation(
        of=lambda y: torch.cat([p * p.sum(1, keepdim=True) for p in y.split(3, 1)], 1)
    ),
    "stack": Operation(of=lambda y: torch.stack([y, y.cos()], 1)),
    "take": Operation(of=rows(lambda row: row.take(_ORDER))),
    "take_along_dim": Operation(of=lambda y: y.take_along_dim(y.argsort(1), 1)),
    "tril": Operation(of=lambda y: y.view(-1, 2, 2).tril() @ weights(2, 2)),
    "tril_indices": Operation(of=lambda y: y.view(-1, 2, 2)[:, *torch.tril_indices(2, 2)]),
    "triu": Operation(of=lambda y: y.view(-1, 2, 2).triu() @ weights(2, 2)),
    "unbind": Operation(of=lambda y: torch.stack(y.unbind(1)[:2], 1).exp()),
    "unfold of a tensor": Operation(of=lambda y: y.unfold(1, 2, 1).prod(-1)),
    "unsqueeze and expand": Operation(of=lambda y: y[..., None].expand(-1, -1, 3).prod(-1)),
    "vmap inside": Operation(of=torch.func.vmap(_row)),
}

IMAGES: dict[str, Operation] = {
    "adaptive_avg_pool1d": Operation(of=lambda y: F.adaptive_avg_pool1d(_sequence(y), 3), d=8),
    "adaptive_avg_pool2d": Operation(of=lambda y: F.adaptive_avg_pool2d(_image(y), 3), d=16),
    "adaptive_max_pool2d": Operation(of=lambda y: F.adaptive_max_pool2d(_image(y), 3), d=16),
    "adaptive_max_pool2d, channels last": Operation(
        of=lambda y: F.adaptive_max_pool2d(_last(y), 2), d=18
    ),
    "affine_grid": Operation(of=_affine, d=6),
    "avg_pool1d": Operation(of=lambda y: F.avg_pool1d(_sequence(y), 3, 2), d=8),
    "avg_pool2d": Operation(of=lambda y: F.avg_pool2d(_image(y), 2), d=16),
    "avg_pool3d": Operation(of=lambda y: F.avg_pool3d(_volume(y), 2), d=12),
    "channel_shuffle": Operation(of=lambda y: F.channel_shuffle(y.view(-1, 4, 1, 1), 2)),
    "conv1d": Operation(of=lambda y: F.conv1d(_sequence(y), weights(2, 1, 3), stride=2), d=8),
    "conv1d by the row": Operation(
        of=rows(lambda row: F.conv1d(row[None, None, :6], row[None, None, 6:])), d=8
    ),
    "conv1d, circular": Operation(
        of=lambda y: F.conv1d(F.pad(_sequence(y), (1, 1), mode="circular"), weights(2, 1, 3)), d=8
    ),
    "conv1d, grouped and dilated": Operation(
        of=lambda y: F.conv1d(y.view(-1, 2, 4), weights(2, 1, 2), groups=2, dilation=2), d=8
    ),
    "conv2d": Operation(of=lambda y: F.conv2d(_image(y), weights(2, 1, 3, 3), padding=1), d=16),
    "conv2d, channels last": Operation(of=lambda y: F.conv2d(_last(y), weights(2, 2, 2, 2)), d=18),
    "conv3d": Operation(of=lambda y: F.conv3d(_volume(y), weights(2, 1, 2, 2, 2)), d=12),
    "conv_transpose1d": Operation(
        of=lambda y: F.conv_transpose1d(_sequence(y), weights(1, 2, 3), stride=2), d=8
    ),
    "conv_transpose2d": Operation(
        of=lambda y: F.conv_transpose2d(y.view(-1, 1, 2, 2), weights(1, 2, 3, 3), stride=2)
    ),
    "conv_transpose3d": Operation(
        of=lambda y: F.conv_transpose3d(_volume(y), weights(1, 2, 2, 2, 2)), d=12
    ),
    "fold": Operation(of=lambda y: F.fold(y.view(-1, 4, 4), (3, 3), 2), d=16),
    "fractional_max_pool2d": Operation(
        of=lambda y: F.fractional_max_pool2d(
            _image(y),
            2,
            output_size=2,
            _random_samples=torch.full((y.shape[0], 1, 2), 0.4, dtype=y.dtype),
        ),
        d=16,
    ),
    "grid_sample of the image": Operation(
        of=lambda y: F.grid_sample(_image(y), _grid(y), align_corners=False), d=16
    ),
    "grid_sample of the image, bicubic": Operation(
        of=lambda y: F.grid_sample(_image(y), _grid(y), mode="bicubic", align_corners=False), d=16
    ),
    "grid_sample of the image, nearest": Operation(
        of=lambda y: F.grid_sample(_image(y), _grid(y), mode="nearest", align_corners=False), d=16
    ),
    "grid_sample at the points": Operation(
        of=lambda y: F.grid_sample(
            weights(1, 2, 4, 4).expand(y.shape[0], -1, -1, -1),
            y.view(-1, 2, 2, 2),
            align_corners=False,
        ),
        d=8,
        low=-0.7,
        high=0.7,
    ),
    "grid_sample at the points, bicubic": Operation(
        of=lambda y: F.grid_sample(
            weights(1, 2, 4, 4).expand(y.shape[0], -1, -1, -1),
            y.view(-1, 2, 2, 2),
            mode="bicubic",
            align_corners=False,
        ),
        d=8,
        low=-0.7,
        high=0.7,
    ),
    "grid_sample in 3-D": Operation(
        of=lambda y: F.grid_sample(
            weights(1, 1, 3, 3, 3).expand(y.shape[0], -1, -1, -1, -1),
            y.view(-1, 1, 1, 2, 3),
            align_corners=False,
        ),
        d=6,
        low=-0.6,
        high=0.6,
    ),
    "interpolate, area": Operation(of=lambda y: F.interpolate(_image(y), 3, mode="area"), d=16),
    "interpolate, bicubic": Operation(
        of=lambda y: F.interpolate(_image(y), 6, mode="bicubic"), d=16
    ),
    "interpolate, bilinear": Operation(
        of=lambda y: F.interpolate(_image(y), 6, mode="bilinear"), d=16
    ),
    "interpolate, bilinear and antialiased": Operation(
        of=lambda y: F.interpolate(_image(y), 3, mode="bilinear", antialias=True), d=16
    ),
    "interpolate, linear": Operation(
        of=lambda y: F.interpolate(_sequence(y), 11, mode="linear", align_corners=True), d=8
    ),
    "interpolate, nearest": Operation(of=lambda y: F.interpolate(_image(y), 6), d=16),
    "interpolate, nearest-exact": Operation(
        of=lambda y: F.interpolate(_image(y), 6, mode="nearest-exact"), d=16
    ),
    "interpolate, trilinear": Operation(
        of=lambda y: F.interpolate(_volume(y), (3, 3, 4), mode="trilinear"), d=12
    ),
    "lp_pool1d": Operation(of=lambda y: F.lp_pool1d(_sequence(y), 3, 2), d=8, low=0.1),
    "lp_pool2d": Operation(of=lambda y: F.lp_pool2d(_image(y), 2, 2), d=16),
    "max_pool1d": Operation(of=lambda y: F.max_pool1d(_sequence(y), 3, 2), d=8),
    "max_pool2d": Operation(of=lambda y: F.max_pool2d(_image(y), 2), d=16),
    "max_pool2d, overlapping": Operation(of=lambda y: F.max_pool2d(_image(y), 3, 1), d=16, low=-3),
    "max_pool2d, channels last": Operation(of=lambda y: F.max_pool2d(_last(y), 2, 1), d=18),
    "max_pool3d": Operation(of=lambda y: F.max_pool3d(_volume(y), 2), d=12),
    "max_unpool2d": Operation(
        of=lambda y: F.max_unpool2d(*F.max_pool2d(_image(y), 2, return_indices=True), (2, 2)), d=16
    ),
    "pad, reflect 2-D": Operation(
        of=lambda y: F.pad(_image(y), (1, 1, 2, 0), mode="reflect"), d=16
    ),
    "pad, replicate 2-D": Operation(
        of=lambda y: F.pad(_image(y), (1, 1, 2, 0), mode="replicate"), d=16
    ),
    "pad, replicate 3-D": Operation(
        of=lambda y: F.pad(_volume(y), (1, 1, 1, 0, 0, 1), mode="replicate"), d=12
    ),
    "pixel_shuffle": Operation(of=lambda y: F.pixel_shuffle(y.view(-1, 4, 2, 2), 2), d=16),
    "pixel_unshuffle": Operation(of=lambda y: F.pixel_unshuffle(_image(y), 2), d=16),
    "unfold": Operation(of=lambda y: F.unfold(_image(y), 2), d=16),
}

SPECTRA: dict[str, Operation] = {
    "fft": Operation(of=torch.fft.fft, d=6),
    "fft2": Operation(of=lambda y: torch.fft.fft2(y.view(-1, 2, 3)), d=6),
    "fft, abs": Operation(of=lambda y: torch.fft.fft(y).abs(), d=5, low=0.1),
    "fftn": Operation(of=lambda y: torch.fft.fftn(y.view(-1, 2, 3), dim=(1, 2)), d=6),
    "fftshift": Operation(of=lambda y: torch.fft.fftshift(torch.fft.fft(y), dim=1), d=6),
    "hfft": Operation(of=lambda y: torch.fft.hfft(torch.complex(y[:, :3], y[:, 3:]), n=5), d=6),
    "ifft": Operation(of=torch.fft.ifft, d=6),
    "ihfft": Operation(of=torch.fft.ihfft, d=6),
    "irfft": Operation(of=lambda y: torch.fft.irfft(torch.complex(y[:, :3], y[:, 3:]), n=5), d=6),
    "irfft of rfft": Operation(of=lambda y: torch.fft.irfft(torch.fft.rfft(y) ** 2), d=6),
    "rfft": Operation(of=torch.fft.rfft, d=6),
    "rfft2": Operation(of=lambda y: torch.fft.rfft2(y.view(-1, 2, 3)), d=6),
    "stft": Operation(
        of=lambda y: torch.stft(
            y, 4, hop_length=2, window=torch.hann_window(4, dtype=y.dtype), return_complex=True
        ),
        d=8,
    ),
    "istft": Operation(
        of=lambda y: torch.istft(
            torch.complex(y[:, :9].view(-1, 3, 3), y[:, 9:].view(-1, 3, 3)),
            4,
            hop_length=2,
            window=torch.hann_window(4, dtype=y.dtype),
        ),
        d=18,
    ),
    "view_as_real": Operation(of=lambda y: torch.view_as_real(torch.fft.fft(y)), d=6),
}
