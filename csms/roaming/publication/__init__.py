"""Our own data told to partners: made anew where something has changed, stored as told, and noted for those who are to be told."""
