"""From sessions to money: which tariff a session has, what it costs while it runs and in the end, and the CDR that proves it."""
