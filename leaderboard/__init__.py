"""The leaderboard: competitions, teams, attempts, quotas, the board, and the site that shows them."""
