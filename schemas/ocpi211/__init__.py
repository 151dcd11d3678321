"""OCPI 2.1.1: its types, as far as they are not those of 2.2.1, and the conversion to and from 2.2.1 (digest, 21 and 22).

Strings of 2.1.1 are ASCII by the letter. Ids are held to that; texts for people are sent in UTF-8, as everybody does.
"""
