"""The files in the folder of a corpus, in addition to the files of vectors."""

PLAN = "_plan.json"
MODEL = "_model"
LOCK = "_lock"
REJECTS = "rejects.jsonl"

# The columns of each file of vectors, before those that are kept.
COLUMNS = ("source", "row", "vector")
