"""The page of a run and the page of many, as single files."""
