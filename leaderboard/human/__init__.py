"""The human evaluation: finalists are judged by people who chat with the code that was scored."""
