"""The charging network itself: domain rules, durable store, ledger, bus, settings and the command line."""
