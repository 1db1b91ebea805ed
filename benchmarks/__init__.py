"""Side-by-side runs against peers; `RESULTS.md` holds what they measured, where and when."""
