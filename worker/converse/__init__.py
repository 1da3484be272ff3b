"""Live chats: each in a thread of its own that holds one cell, all led by one loop, the host."""
