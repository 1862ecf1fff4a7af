"""Pixels in their many forms, and what describes them: grids, sizes, masks, positions."""

import math

from rpgen.models.examples.facts import Facts, figure, first, part
from rpgen.models.examples.guess_text import Made, Maker
from rpgen.models.examples.situation import Situation
from rpgen.models.examples.sizes import frames, grid, picture, product, sizes_of_axes
from rpgen.models.examples.spec import Spec, fixed, normal, ones, with_runs, zeros

_FILM = "pixel_values_videos"
_GRID_OF = {"pixel_values": "image_grid_thw", _FILM: "video_grid_thw"}
_OF_ROWS = 3  # axes of patches: rows, patches of each, what is in a patch
_STACKED = 4  # axes of places in a film: films, frames, patches, column and row
_CROPS = 2  # the whole and one piece
_POOLED = 4
_SEEN_AND_MADE = 2
_PATCHES = 4  # along a side, where pixels come as a list of patches


def pixels(name: str) -> Maker:
    def maker(facts: Facts, situation: Situation, made: Made) -> Spec:
        return _pixels(name, facts, situation)

    return maker


def _pixels(name: str, facts: Facts, situation: Situation) -> Spec:
    shown, rows = picture(facts, situation), situation.batch
    as_patches = _as_patches(name, facts, situation)
    if as_patches is not None:
        return as_patches
    if situation.pixel_axes and name == "pixel_values":
        return normal(*sizes_of_axes(situation.pixel_axes, facts, situation))
    frame = (shown.channels, shown.height, shown.width)
    if name == "high_res_pixel_values":
        fine = part(facts.config, "high_res_vision_config")
        side = facts.number("image_size", default=shown.height, place=fine)
        return normal(rows, shown.channels, side, side)
    if _in_crops(name, facts):
        return normal(rows, _CROPS, *frame)
    film = name == _FILM
    beside = film and "pixel_values" in situation.names
    rank = situation.film_rank if beside else situation.pixel_rank
    if rank == 3:
        return normal(rows, _PATCHES**2, shown.patch_values)
    if not film and (rank or (5 if _in_tiles(facts) else None)) == 5:
        return normal(rows, situation.pixel_images, *frame)
    if rank == 6:
        tiles = facts.number("max_num_tiles", default=2, place=facts.vision)
        return normal(rows, 1, tiles, *frame)
    if rank == 4:
        return normal(rows, *frame)
    moving = _moving(name, facts)
    if film or (moving and situation.layout % 4 in (0, 1)):
        return normal(rows, frames(facts), *frame)
    if situation.layout % 4 == 2:
        return normal(rows, 1, *frame)
    if situation.layout % 4 == 3:
        return normal(rows, 2, 1, *frame)
    return normal(rows, *frame)


def _in_crops(name: str, facts: Facts) -> bool:
    """A picture as a whole and cut to pieces of that size, beside each other."""
    side = figure(facts.vision, "crop_size", kinds=(int,))
    cut = name == "image_pixel_values" and facts.has("image_sizes", "image_attention_mask")
    return cut and side == figure(facts.vision, "image_size", kinds=(int,))


def counted_frames(facts: Facts, situation: Situation, made: Made) -> Spec:
    return ones(situation.batch)


def _moving(name: str, facts: Facts) -> bool:
    """Does the model take films, and in this argument?"""
    if facts.has(_FILM):
        return name == _FILM
    words = facts.arguments[name].shape or () if name in facts.arguments else ()
    named = "video" in type(facts.config).__name__.lower()
    return named or figure(facts.config, "num_frames") is not None or "num_frames" in words


def _as_patches(name: str, facts: Facts, situation: Situation) -> Spec | None:
    """Models that take images of any size get a flat list of patches."""
    shown, rows = picture(facts, situation), situation.batch
    words = facts.patches.get(name)
    if words and situation.layout % 2 == 0:
        count = math.prod(grid(facts, situation)) if facts.has("image_grid_thw") else _PATCHES**2
        if len(words) == _OF_ROWS and "patches" in words[1]:
            return normal(rows, count, product(words[2], facts))
        return normal(rows * count, *(product(word, facts) for word in words[1:]))
    if facts.has("image_token_pooling"):
        return normal(rows, _positions(facts), shown.patch_values)
    if facts.has(_GRID_OF.get(name, "grid_thw"), "grid_thw"):
        frames_, high, wide = grid(facts, situation, film=name == _FILM)
        count = frames_ * high * wide * rows
        words = facts.arguments[name].shape or () if facts.has(name) else ()
        if len(words) == 4 and "channels" in words[-1]:  # a square of patches for each token
            return normal(count, *[shown.patch * shown.merge] * 2, shown.channels)
        if situation.layout % 4 == 2:
            return normal(count * shown.patch**2, shown.channels)
        if situation.layout % 2:
            return normal(count, shown.channels, shown.patch, shown.patch)
        return normal(count, shown.patch_values * shown.frames_per_patch)
    if facts.has("spatial_shapes"):
        return normal(rows, _PATCHES**2, shown.patch_values)
    if facts.has("pixel_position_ids", "image_position_ids"):
        stacked = (frames(facts),) if name == _FILM and _stacks_frames(facts) else ()
        return normal(rows, *stacked, _side_of_positions(facts) ** 2, shown.patch_values)
    return None


def _side_of_positions(facts: Facts) -> int:
    return 4 * facts.number("pooling_kernel_size", default=3, place=facts.vision)


def flattened_patches(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Each patch begins with its row and its column."""
    shown = picture(facts, situation)
    patches = normal(situation.batch, _PATCHES**2, 2 + shown.patch_values)
    return with_runs(patches, [(0, 2, 1)])


def grids(facts: Facts, situation: Situation, made: Made) -> Spec:
    return fixed([list(grid(facts, situation))] * situation.batch)


def grids_of_films(facts: Facts, situation: Situation, made: Made) -> Spec:
    return fixed([list(grid(facts, situation, film=True))] * situation.batch)


def grids_of_images(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Where they are counted by row, the last of a row is that of the picture to be made."""
    times = _SEEN_AND_MADE if facts.has("images_per_sample") else 1
    return fixed([list(grid(facts, situation))] * situation.batch * times)


def seen_and_made(facts: Facts, situation: Situation, made: Made) -> Spec:
    return fixed([_SEEN_AND_MADE] * situation.batch)


def pooled_patches(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Which patches each token of a text is made from: so many after one another."""
    count = situation.batch * _positions(facts) // _POOLED
    return fixed([list(range(n * _POOLED, (n + 1) * _POOLED)) for n in range(count)])


def pooled_grids(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Rows and columns of tokens of the whole picture, and of its parts: it has none."""
    return fixed([[_positions(facts) // _POOLED, 1, 0, 0]] * situation.batch)


def pooled_films(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Frames, and rows and columns of tokens of each."""
    return fixed([[1, _positions(facts) // _POOLED, 1]] * situation.batch)


def _positions(facts: Facts) -> int:
    return facts.number("num_position_embeddings", default=_PATCHES**2, place=facts.vision)


def _in_tiles(facts: Facts) -> bool:
    """Is each picture given as several, with a mask that says which there are?"""
    mask = facts.arguments.get("pixel_attention_mask")
    words = mask.shape or () if mask else ()
    return len(words) == 2 and "tiles" in words[1]


def spatial_shapes(facts: Facts, situation: Situation, made: Made) -> Spec:
    return fixed([[_PATCHES, _PATCHES]] * situation.batch)


def _stacks_frames(facts: Facts) -> bool:
    """Whether the frames of a film have an axis of their own, and are not rows."""
    told = facts.arguments.get("video_position_ids")
    return told is not None and len(told.shape or ()) == _STACKED


def positions(facts: Facts, situation: Situation, made: Made) -> Spec:
    """(column, row) of each patch."""
    return fixed([_places(facts)] * situation.batch)


def positions_in_films(facts: Facts, situation: Situation, made: Made) -> Spec:
    """The same for each frame."""
    if not _stacks_frames(facts):
        return positions(facts, situation, made)
    return fixed([[_places(facts)] * frames(facts)] * situation.batch)


def _places(facts: Facts) -> list[list[int]]:
    side = _side_of_positions(facts)
    return [[column, row] for row in range(side) for column in range(side)]


def pixel_mask(facts: Facts, situation: Situation, made: Made) -> Spec:
    if facts.has("spatial_shapes"):
        return ones(situation.batch, _PATCHES**2)
    if _in_tiles(facts):
        return ones(situation.batch, situation.pixel_images, dtype="bool")
    pixels_ = made.get("pixel_values")
    if pixels_ is not None and len(pixels_.shape) > 4:
        return ones(*pixels_.shape[:-3], *pixels_.shape[-2:])
    shown = picture(facts, situation)
    return ones(situation.batch, shown.height, shown.width)


def image_sizes(facts: Facts, situation: Situation, made: Made) -> Spec:
    shown = picture(facts, situation)
    return fixed([[shown.height, shown.width]] * situation.batch)


def merge_sizes(facts: Facts, situation: Situation, made: Made) -> Spec:
    return fixed([picture(facts, situation).merge] * situation.batch)


def first_aspect(facts: Facts, situation: Situation, made: Made) -> Spec:
    """The first of the known aspect ratios: one tile."""
    return ones(situation.batch, 1)


def tiles_in_use(facts: Facts, situation: Situation, made: Made) -> Spec:
    tiles = facts.number("max_num_tiles", default=2, place=facts.vision)
    return fixed([[[1, *[0] * (tiles - 1)]]] * situation.batch)


def tiles_seen_by_tokens(facts: Facts, situation: Situation, made: Made) -> Spec:
    ids = made.get("input_ids")
    length = ids.shape[-1] if ids is not None else situation.length
    tiles = facts.number("max_num_tiles", default=1, place=facts.vision)
    return ones(situation.batch, length, situation.pixel_images, tiles)


def patch_sizes(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Rows and columns of patches of each picture."""
    shown = picture(facts, situation)
    rows, columns = shown.height // shown.patch, shown.width // shown.patch
    return fixed([[rows, columns]] * situation.batch)


def places_of_images(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Where in the text the image goes: from its second token on."""
    ids = made.get("input_ids")
    length = ids.shape[-1] if ids is not None else situation.length
    count = facts.number("latent_query_num", default=1)
    return with_runs(zeros(situation.batch, length), [(1, count, 1)])


def seen_by_tokens(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Every token sees every image of its row; or what is picture in pictures cut to pieces."""
    if _in_crops("image_pixel_values", facts):
        shown = picture(facts, situation)
        high, wide = shown.height // shown.patch, shown.width // shown.patch
        return ones(situation.batch, _CROPS, high, wide)
    ids = made.get("input_ids")
    length = ids.shape[-1] if ids is not None else situation.length
    return ones(situation.batch, length, situation.pixel_images)


def state(facts: Facts, situation: Situation, made: Made) -> Spec:
    """Of a robot: one vector a row."""
    return normal(situation.batch, facts.number("max_state_dim", "state_dim", default=8))


def actions(facts: Facts, situation: Situation, made: Made) -> Spec:
    count = facts.number("chunk_size", default=4)
    width = facts.number("max_action_dim", "action_dim", default=8)
    return normal(situation.batch, count, width)


def hidden_patches(facts: Facts, situation: Situation, made: Made) -> Spec | None:
    """Some vision parts call their pixels `hidden_states`, or what became of them."""
    latent = figure(facts.config, "latent_channels", kinds=(int,))
    if latent and len(facts.arguments) == 1:
        return normal(situation.batch, latent, _PATCHES, _PATCHES)
    if not facts.has("grid_thw", "image_grid_thw") or situation.layout >= 4:
        return None
    shown = picture(facts, situation)
    frames_, high, wide = grid(facts, situation)
    count = frames_ * high * wide * situation.batch
    return normal(count, shown.patch_values * shown.frames_per_patch)


def masked_places(facts: Facts, situation: Situation, made: Made) -> Spec:
    """The first half of the patches is hidden."""
    shown = picture(facts, situation)
    count = (shown.height // shown.patch) * (shown.width // shown.patch)
    films = figure(facts.config, "num_frames")
    if films:
        count *= max(1, first(films) // shown.frames_per_patch)
    row = [place < count // 2 for place in range(count)]
    return fixed([row] * situation.batch, "bool")


MAKERS: dict[str, Maker] = {
    **{name: pixels(name) for name in (
        "pixel_values", "pixel_values_videos", "pixel_values_images", "prompt_pixel_values",
        "image", "pixel_values_local", "high_res_pixel_values", "target_pixel_values",
        "image_pixel_values", "image_patches", "prompt_masks",
    )},
    "flattened_patches": flattened_patches,
    "image_grid_thw": grids_of_images,
    "image_token_pooling": pooled_patches,
    "image_grids": pooled_grids,
    "video_grid_thw": grids_of_films,
    "video_token_pooling": pooled_patches,
    "video_grids": pooled_films,
    "grid_thw": grids,
    "spatial_shapes": spatial_shapes,
    "pixel_position_ids": positions,
    "image_position_ids": positions,
    "video_position_ids": positions_in_films,
    "num_frames_per_video": counted_frames,
    "pixel_attention_mask": pixel_mask,
    "pixel_mask": pixel_mask,
    "image_sizes": image_sizes,
    "target_sizes": patch_sizes,
    "target_sizes_videos": patch_sizes,
    "classes_structure": counted_frames,
    "merge_sizes": merge_sizes,
    "images_per_sample": seen_and_made,
    "num_local_patches": counted_frames,
    "image_merge_sizes": merge_sizes,
    "video_merge_sizes": merge_sizes,
    "aspect_ratio_ids": first_aspect,
    "aspect_ratio_mask": tiles_in_use,
    "cross_attention_mask": tiles_seen_by_tokens,
    "bool_masked_pos": masked_places,
    "hidden_states": hidden_patches,
    "image_embeds_position_mask": places_of_images,
    "image_attention_mask": seen_by_tokens,
    "state": state,
    "actions": actions,
}  # fmt: skip
