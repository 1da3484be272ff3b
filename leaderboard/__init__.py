"""The leaderboard: competitions, teams, attempts, quotas, the board, the site that shows them."""
