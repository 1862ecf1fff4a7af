"""What the figures of a configuration are, by their names: widths, heads, layers, experts."""

import re

WIDTH = re.compile(
    r"hidden_size|hidden_dim|(^|_)dims?$|^dim_|_dim_|width$|widths$|d_model$|n_embd|d_inner|n_inner"
    r"|ffn|^d_ff|d_kv|^d_v$|intermediate|embed(ding)?_size|^embed|_rank$|filters|proj(ection)?_size"
    r"|channels?$|^flow_size$|channel_list|planes|adapter_input_size|inner_size|lstm|upsample_groups|d_latents|^coordinate_size$|^shape_size$|bottleneck|state_size|codevector_dim|_units$"
    r"|expert_size|pooler_output_size|d_head|head_width|d_ssm$|d_state$|pos_feats$|ff_mult_dim|conv_out"
)
NOT_WIDTH = re.compile(
    r"^num_(?!filters|pos_feats)|model_in_dim|patch_embed_hidden|feature_projection_input_dim|keypoint_decoder_dim|pos_emb|token|vocab|patch(es|_size|_stride|_norm)|kernel(?!_predictor)|stride|window|ratio|max_|drop|eps"
    r"|position_embeddings|type$|_act$|rope_|scale|factor|time_step|audio_channels|depth(?!wise)|index|_id$"
    r"|per_group|n_groups|norm|embeds_layer"
)
INNER = re.compile(r"intermediate|ffn|d_ff$|n_inner|inner_size|mlp_dim|expert_size")
HEAD_DIM = re.compile(r"head_?dim$|^d_kv$|(^|_)d_head$|^kv_channels$|head_width")
HEADS = re.compile(r"heads$|^n_head$|^num_heads|^n_head_kv$|_head_num$")
LAYERS = re.compile(r"(^|_)layers?$|^depth$|_depth$|_num_flows$|^num_self_attends_per_block$")
NOT_LAYERS = re.compile(r"feat|conv_|adapter|select|shared|nextn|separable|downsample")
STAGES = re.compile(
    r"^depths$|^layers_per_stage$|^layers$|^num_blocks$|_depths$|^num_stage_blocks$|^stage_num_blocks$"
)
EXPERTS = re.compile(r"^(num|n|moe_num)_(?!shared)\w*experts$")
CHOSEN_EXPERTS = re.compile(
    r"experts_per_tok|^moe_top_?k$|num_selected_experts|^moe_k$|expert_topk|experts_topk|^top_k_experts$"
)
ONE_GROUP = re.compile(r"(^|_)(n|topk|expert|num_expert)_group$|^first_k_dense_replace$")
LAYER_NUMBERS = re.compile(
    r"(attn|attention|layer|block)\w*_(index(es)?|indices|ids)$|^cross_attention_layers$"
)
MULTIPLIERS = ("width_coefficient", "depth_coefficient", "depth_multiplier", "width_multiplier")
MULTIPLIER = 4.0
DEPTH_NAMES = (
    "num_hidden_layers", "n_layer", "num_layers", "n_layers", "decoder_layers", "depth",
)  # fmt: skip
