"""The hub: who a message is for, and what the hub does with it."""
