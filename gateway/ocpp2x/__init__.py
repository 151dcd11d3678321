"""What OCPP 2.0.1 and 2.1 have in common: handlers and commands, one file per action.

A handler takes the request object of either version. Answers and commands are built from the definitions of 2.0.1, which 2.1 has
only widened: their JSON is right in both, and the codec checks every payload against the version of its connection.
"""
