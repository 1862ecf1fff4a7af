"""Making `model_database.json` from the installed transformers: `python -m rpgen.refresh_database`.

Nothing else in rpgen imports this package; it is the only part of the classification that
needs torch and transformers.
"""
