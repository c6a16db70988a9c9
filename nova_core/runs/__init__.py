"""Figures of runs: results, rollups, work time, freshness, history."""
