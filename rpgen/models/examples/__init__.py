"""Inputs for a model that come from the model alone: no processor, no file, no weights.

`spec` says what one argument of `forward` is drawn from; `facts` is what the model tells about
itself; the `guess_*` files turn facts into specs; `repair` changes a guess after an error of
`forward`; `search` tries until a run succeeds.
"""
