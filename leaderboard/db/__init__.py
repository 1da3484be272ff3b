"""The leaderboard's tables, the engine that reaches them, and their migrations."""
