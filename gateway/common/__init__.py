"""What the modules of all OCPP versions are built from: dispatch by tables, readings, the form of answers."""
