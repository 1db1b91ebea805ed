"""Side-by-side runs against peers; `RESULTS.md` has the results with their machines and dates."""
