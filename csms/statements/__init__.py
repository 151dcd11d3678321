"""Monthly statements: what the CDRs of a contract, a token group, a partner or the whole tenant come to."""
