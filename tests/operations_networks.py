"""Operations to scan that networks are built of: normalisation, modules, attention, losses."""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from scanned_operation import Operation, weights

__all__ = ["LOSSES", "MODULES", "NORMALISATIONS", "TRAINING"]


def _call(module: nn.Module, y: Tensor) -> Tensor:
    out: Tensor = module(y)
    return out


def _tokens(y: Tensor) -> Tensor:
    return y.view(-1, 3, 2)


def _heads(y: Tensor) -> Tensor:
    return y.view(-1, 1, 3, 2)


def _batch_norm(y: Tensor) -> Tensor:
    return F.batch_norm(y, weights(4), weights(4).square() + 1, weights(4), weights(4))


def _mixture(y: Tensor) -> Tensor:
    return y.softmax(1)


def _target(y: Tensor) -> Tensor:
    return weights(1, 4).softmax(1).expand_as(y)


def _sum(loss: Tensor) -> Tensor:
    return loss.view(len(loss), -1).sum(1)


def _linear_cross_entropy(
    y: Tensor, options: "nn.LinearCrossEntropyOptions | None" = None
) -> Tensor:
    target = torch.tensor([2])
    losses = [
        F.linear_cross_entropy(row[None], weights(3, 4), target, reduction="sum", options=options)
        for row in y
    ]
    return torch.stack(losses)


def _ctc(y: Tensor) -> Tensor:
    n = len(y)
    log_probabilities = y.view(n, 4, 3).log_softmax(2).transpose(0, 1)
    return F.ctc_loss(
        log_probabilities,
        torch.tensor([[1, 2]]).expand(n, -1),
        torch.full((n,), 4),
        torch.full((n,), 2),
        reduction="none",
    )


def _transformer(kind: type[nn.Module]) -> nn.Module:
    module: nn.Module = kind(2, 1, dim_feedforward=3, dropout=0.0, batch_first=True)
    return module


NORMALISATIONS: dict[str, Operation] = {
    "batch_norm in evaluation mode": Operation(of=_batch_norm),
    "BatchNorm1d in evaluation mode": Operation(module=lambda: nn.BatchNorm1d(4), of=_call),
    "group_norm": Operation(of=lambda y: F.group_norm(y, 2, weights(8), weights(8)), d=8),
    "group_norm of one group": Operation(of=lambda y: F.group_norm(y, 1, weights(4), weights(4))),
    # A batch of vectors is mistaken where sizes agree, and raises where they do not.
    "group_norm of two channels": Operation(
        of=lambda y: F.group_norm(y.view(-1, 2, 2), 2, eps=0.1)
    ),
    "group_norm of two channels and three places": Operation(
        of=lambda y: F.group_norm(y.view(-1, 2, 3), 1), d=6
    ),
    "group_norm of four channels and places": Operation(
        module=lambda: nn.GroupNorm(1, 4), of=lambda m, y: m(y.view(-1, 4, 4)), d=16
    ),
    "group_norm of sequences": Operation(
        of=lambda y: F.group_norm(y.view(-1, 4, 3), 2, weights(4), weights(4)), d=12
    ),
    "group_norm without weights": Operation(of=lambda y: F.group_norm(y, 2), d=8),
    "instance_norm": Operation(of=lambda y: F.instance_norm(y.view(-1, 2, 3)), d=6),
    "layer_norm": Operation(of=lambda y: F.layer_norm(y, (4,), weights(4), weights(4))),
    "layer_norm without weights": Operation(of=lambda y: F.layer_norm(y, (4,))),
    "local_response_norm": Operation(of=lambda y: F.local_response_norm(y[..., None], 2, 0.3)),
    "rms_norm": Operation(of=lambda y: F.rms_norm(y, (4,), weights(4), 1e-5)),
    "rms_norm without eps": Operation(of=lambda y: F.rms_norm(y, (4,))),
}

MODULES: dict[str, Operation] = {
    "AlphaDropout in evaluation mode": Operation(module=nn.AlphaDropout, of=_call),
    "attention": Operation(
        of=lambda y: F.scaled_dot_product_attention(_heads(y), _heads(y), _heads(y)), d=6
    ),
    "attention, causal": Operation(
        of=lambda y: F.scaled_dot_product_attention(
            _heads(y), _heads(y), _heads(y), is_causal=True
        ),
        d=6,
    ),
    "attention, masked": Operation(
        of=lambda y: F.scaled_dot_product_attention(
            _heads(y), _heads(y), _heads(y), attn_mask=weights(3, 3)
        ),
        d=6,
    ),
    "Bilinear": Operation(
        module=lambda: nn.Bilinear(2, 2, 3), of=lambda m, y: m(y[:, :2], y[:, 2:])
    ),
    "Conv1d, padded in a circle": Operation(
        module=lambda: nn.Conv1d(1, 2, 3, padding=1, padding_mode="circular"),
        of=lambda m, y: m(y[:, None]),
    ),
    "Embedding, mixed": Operation(
        module=lambda: nn.Embedding(4, 3), of=lambda m, y: y.softmax(1) @ m(torch.arange(4))
    ),
    "EmbeddingBag, weighted": Operation(
        module=lambda: nn.EmbeddingBag(5, 3, mode="sum"),
        of=lambda m, y: m(torch.tensor([[0, 2, 4, 2]]).expand(len(y), -1), per_sample_weights=y),
    ),
    "GRU": Operation(
        module=lambda: nn.GRU(2, 3, batch_first=True), of=lambda m, y: m(_tokens(y))[0], d=6
    ),
    "GRU, both ways": Operation(
        module=lambda: nn.GRU(2, 2, num_layers=2, bidirectional=True, batch_first=True),
        of=lambda m, y: m(_tokens(y))[0],
        d=6,
    ),
    "GRUCell": Operation(module=lambda: nn.GRUCell(4, 3), of=_call),
    "Linear": Operation(module=lambda: nn.Linear(4, 3), of=_call),
    "LSTM": Operation(
        module=lambda: nn.LSTM(2, 3, batch_first=True), of=lambda m, y: m(_tokens(y))[0], d=6
    ),
    "LSTMCell": Operation(module=lambda: nn.LSTMCell(4, 3), of=lambda m, y: torch.cat(m(y), 1)),
    "MultiheadAttention": Operation(
        module=lambda: nn.MultiheadAttention(2, 2, batch_first=True),
        of=lambda m, y: m(*[_tokens(y)] * 3)[0],
        d=6,
    ),
    "MultiheadAttention without weights": Operation(
        module=lambda: nn.MultiheadAttention(2, 2, batch_first=True),
        of=lambda m, y: m(*[_tokens(y)] * 3, need_weights=False)[0],
        d=6,
    ),
    "PReLU": Operation(module=lambda: nn.PReLU(4), of=_call),
    "ReLU in place": Operation(module=lambda: nn.ReLU(inplace=True), of=_call),
    "RNN": Operation(
        module=lambda: nn.RNN(2, 3, batch_first=True), of=lambda m, y: m(_tokens(y))[0], d=6
    ),
    "RNNCell": Operation(module=lambda: nn.RNNCell(4, 3), of=_call),
    "Sequential with Dropout in evaluation mode": Operation(
        module=lambda: nn.Sequential(nn.Linear(4, 3), nn.SiLU(), nn.Dropout(), nn.Linear(3, 2)),
        of=_call,
    ),
    "TransformerDecoderLayer": Operation(
        module=lambda: _transformer(nn.TransformerDecoderLayer),
        of=lambda m, y: m(_tokens(y), _tokens(y).sin()),
        d=6,
    ),
    "TransformerEncoderLayer": Operation(
        module=lambda: _transformer(nn.TransformerEncoderLayer),
        of=lambda m, y: m(_tokens(y)),
        d=6,
    ),
    "TransformerEncoderLayer in training mode": Operation(
        module=lambda: _transformer(nn.TransformerEncoderLayer),
        of=lambda m, y: m(_tokens(y)),
        training=True,
        d=6,
    ),
    "Upsample": Operation(
        module=lambda: nn.Upsample(scale_factor=2, mode="bicubic"),
        of=lambda m, y: m(y.view(-1, 1, 2, 2)),
    ),
    "weight_norm": Operation(
        module=lambda: parametrizations.weight_norm(nn.Linear(4, 3)), of=_call
    ),
    "weight_norm in training mode": Operation(
        module=lambda: parametrizations.weight_norm(nn.Linear(4, 3)), of=_call, training=True
    ),
    "weight_norm of old": Operation(module=lambda: nn.utils.weight_norm(nn.Linear(4, 3)), of=_call),
    "spectral_norm in evaluation mode": Operation(
        module=lambda: parametrizations.spectral_norm(nn.Linear(4, 3)), of=_call
    ),
    "orthogonal": Operation(module=lambda: parametrizations.orthogonal(nn.Linear(4, 4)), of=_call),
}

TRAINING: dict[str, Operation] = {
    "Dropout in training mode": Operation(
        module=nn.Dropout, of=_call, training=True, is_function=False
    ),
    "noise added": Operation(of=lambda y: y + torch.randn_like(y) / 9, is_function=False),
    "rrelu in training mode": Operation(
        of=lambda y: F.rrelu(y - 1, training=True), is_function=False
    ),
    "spectral_norm in training mode": Operation(
        module=lambda: parametrizations.spectral_norm(nn.Linear(4, 3)),
        of=_call,
        training=True,
        is_function=False,
    ),
}

LOSSES: dict[str, Operation] = {
    "binary_cross_entropy": Operation(
        of=lambda y: F.binary_cross_entropy(y.sigmoid(), _target(y), reduction="none")
    ),
    "binary_cross_entropy_with_logits": Operation(
        of=lambda y: F.binary_cross_entropy_with_logits(
            y, _target(y), weights(4).exp(), reduction="none", pos_weight=weights(4).cosh()
        )
    ),
    "cosine_embedding_loss": Operation(
        of=lambda y: F.cosine_embedding_loss(
            y[:, :2], y[:, 2:], torch.ones(len(y)), reduction="none"
        )
    ),
    "cross_entropy": Operation(
        of=lambda y: F.cross_entropy(y, torch.full((len(y),), 2), reduction="none")
    ),
    "cross_entropy, label smoothing": Operation(
        of=lambda y: F.cross_entropy(
            y, torch.full((len(y),), 2), label_smoothing=0.2, reduction="none"
        )
    ),
    "cross_entropy of probabilities": Operation(
        of=lambda y: F.cross_entropy(y, _target(y), reduction="none")
    ),
    "ctc_loss": Operation(of=_ctc, d=12),
    "gaussian_nll_loss": Operation(
        of=lambda y: _sum(
            F.gaussian_nll_loss(y[:, :2], y[:, :2].cos(), y[:, 2:].exp(), reduction="none")
        )
    ),
    "hinge_embedding_loss": Operation(
        of=lambda y: F.hinge_embedding_loss(y, weights(1, 4).sign(), reduction="none")
    ),
    "huber_loss": Operation(
        of=lambda y: F.huber_loss(2 * y, weights(1, 4).expand_as(y), reduction="none")
    ),
    "kl_div": Operation(of=lambda y: F.kl_div(y.log_softmax(1), _target(y), reduction="none")),
    "kl_div of the target": Operation(
        of=lambda y: F.kl_div(_target(y).log(), _mixture(y), reduction="none")
    ),
    "l1_loss": Operation(of=lambda y: F.l1_loss(y, weights(1, 4).expand_as(y), reduction="none")),
    "linear_cross_entropy": Operation(of=_linear_cross_entropy),
    "linear_cross_entropy in chunks": Operation(
        of=lambda y: _linear_cross_entropy(y, nn.LinearCrossEntropyOptions())
    ),
    "linear_cross_entropy in chunks, retained": Operation(
        of=lambda y: _linear_cross_entropy(y, nn.LinearCrossEntropyOptions(allow_retain_graph=True))
    ),
    "margin_ranking_loss": Operation(
        of=lambda y: F.margin_ranking_loss(
            y[:, :2], y[:, 2:], torch.ones(1, 2), margin=0.3, reduction="none"
        )
    ),
    "mse_loss": Operation(of=lambda y: F.mse_loss(y, y.sin() * 2, reduction="none")),
    "multi_margin_loss": Operation(
        of=lambda y: F.multi_margin_loss(y, torch.full((len(y),), 2), reduction="none")
    ),
    "multilabel_margin_loss": Operation(
        of=lambda y: F.multilabel_margin_loss(
            y, torch.tensor([[2, 0, -1, 0]]).expand(len(y), -1), reduction="none"
        )
    ),
    "multilabel_soft_margin_loss": Operation(
        of=lambda y: F.multilabel_soft_margin_loss(y, _target(y), reduction="none")
    ),
    "nll_loss": Operation(
        of=lambda y: F.nll_loss(y.log_softmax(1), torch.full((len(y),), 2), reduction="none")
    ),
    "poisson_nll_loss": Operation(of=lambda y: F.poisson_nll_loss(y, _target(y), reduction="none")),
    "smooth_l1_loss": Operation(
        of=lambda y: F.smooth_l1_loss(2 * y, weights(1, 4).expand_as(y), reduction="none")
    ),
    "soft_margin_loss": Operation(
        of=lambda y: F.soft_margin_loss(y, weights(1, 4).sign().expand_as(y), reduction="none")
    ),
    "triplet_margin_loss": Operation(
        of=lambda y: F.triplet_margin_loss(
            y.view(-1, 3, 2)[:, 0], y.view(-1, 3, 2)[:, 1], y.view(-1, 3, 2)[:, 2], reduction="none"
        ),
        d=6,
    ),
}
