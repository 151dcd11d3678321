"""Our data as OCPI 2.2.1 objects: pure. What cannot be told is a finding that names what is missing."""
