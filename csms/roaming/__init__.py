"""Roaming without HTTP: parties and partners, what they may see, our data as OCPI objects, and what partners send us."""
