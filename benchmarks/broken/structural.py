"""Wrong parts: layers left out or exchanged, weights lost or no longer shared."""

import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.broken.subject import DoesNotApplyError, Subject, inner_weight, stacks
from rpgen.models.load import pretrained_model
from rpgen.models.quiet import quiet_transformers


def layer_skipped(subject: Subject) -> None:
    layer = subject.layers[1]
    original = layer.forward

    def broken(hidden_states: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(hidden_states, *args, **kwargs)
        if isinstance(result, tuple):
            return (hidden_states, *result[1:])
        return hidden_states

    layer.forward = broken


def layers_swapped(subject: Subject) -> None:
    first, second = (dict(each.named_parameters()) for each in subject.layers[:2])
    for name, tensor in first.items():
        if name in second:
            tensor.data, second[name].data = second[name].data, tensor.data


def weight_transposed(subject: Subject) -> None:
    for stack in stacks(subject.model):
        for tensor in stack[0].parameters():
            if tensor.dim() == 2 and tensor.shape[0] == tensor.shape[1]:
                tensor.data = tensor.data.T.contiguous()
                return
    raise DoesNotApplyError("no square matrix in its layers")


def layer_zeroed(subject: Subject) -> None:
    for tensor in subject.layers[1].parameters():
        tensor.data.zero_()


def layer_lost(subject: Subject) -> None:
    """One layer fewer than the configuration says."""
    del subject.layers[-1]


def embeddings_untied(subject: Subject) -> None:
    model = subject.model
    output, given = _embeddings(model)
    if output is None or given is None or output.weight is not given.weight:
        raise DoesNotApplyError("its embeddings are not tied")
    output.weight = torch.nn.Parameter(output.weight.detach() * 0.9)


def tensor_missing(subject: Subject) -> None:
    """A tensor isn't in the file; the library fills it with fresh random numbers."""
    _reload(subject, lambda state, name: state.pop(name))


def tensor_renamed(subject: Subject) -> None:
    _reload(subject, lambda state, name: state.update({f"{name}_old": state.pop(name)}))


def tensor_of_another_shape(subject: Subject) -> None:
    def cut(state: dict[str, Any], name: str) -> None:
        state[name] = state[name][:-1].contiguous()

    _reload(subject, cut)


def positions_lost(subject: Subject) -> None:
    """Every place has the same embedding: the order of what is read is lost."""
    for name, tensor in subject.model.named_parameters():
        if "position" in name and tensor.dim() >= 2 and "relative" not in name:
            tensor.data[:] = 0
            return
        if name.endswith("wpe.weight"):
            tensor.data[:] = 0
            return
    raise DoesNotApplyError("it has no table of positions")


def head_made_anew(subject: Subject) -> None:
    """The last layer is random, as it is when a head was loaded for another task."""
    last = [m for m in subject.model.modules() if isinstance(m, torch.nn.Linear)][-1]
    last.weight.data.normal_(0, float(last.weight.detach().std()) or 0.02)


def _embeddings(model: Any) -> tuple[Any, Any]:
    try:
        return model.get_output_embeddings(), model.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        return None, None


def _reload(subject: Subject, damage: Any) -> None:
    from safetensors.torch import load_file, save_file

    wanted = inner_weight(subject)
    name = next(n for n, tensor in subject.model.named_parameters() if tensor is wanted)
    with tempfile.TemporaryDirectory() as folder, quiet_transformers():
        subject.model.save_pretrained(folder)
        file = Path(folder) / "model.safetensors"
        state = load_file(file)
        key = name if name in state else _alike(state, tuple(wanted.shape))
        damage(state, key)
        save_file(state, file, metadata={"format": "pt"})
        loaded = pretrained_model(
            Path(folder),
            type(subject.model).__name__,
            options={"ignore_mismatched_sizes": True},
        )
    subject.model = loaded


def _alike(state: dict[str, Any], shape: tuple[int, ...]) -> str:
    """Some files name their tensors otherwise than the model does."""
    return next(key for key, tensor in state.items() if tuple(tensor.shape) == shape)


FAULTS = {
    "a layer skipped": layer_skipped,
    "two layers' weights swapped": layers_swapped,
    "a weight transposed": weight_transposed,
    "a layer's weights all zero": layer_zeroed,
    "a layer fewer than configured": layer_lost,
    "tied embeddings untied": embeddings_untied,
    "a tensor missing in the file": tensor_missing,
    "a tensor under another name": tensor_renamed,
    "a tensor of another shape": tensor_of_another_shape,
    "positions lost": positions_lost,
    "the last layer made anew": head_made_anew,
}
