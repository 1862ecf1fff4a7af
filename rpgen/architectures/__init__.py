"""Finding out how each architecture is made tiny and run: `python -m rpgen.architectures`.

`explore` finds a form and inputs that run, `trial` finds which checks apply, `record` puts
what was found into the model database. Generated tests need none of this: they read what is
remembered.
"""
