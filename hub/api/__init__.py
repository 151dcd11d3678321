"""What every endpoint stands on: the route table, requests, answers, problems, cursors."""
