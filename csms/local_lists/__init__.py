"""What stations may decide by themselves: their settings for it, and their local authorization lists (requirement C4).

`policy`, `content`, `roster`, `changes`, `conversation`, `messages` and `settings` are pure. `refresh` works out what the stations
of a tenant ought to have, `station` brings one station there, `worker` does both for all of them in the hub's process.
"""
