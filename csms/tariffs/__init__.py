"""Tariffs as stored things: their versions, whom they apply to, and the prices that change by time."""
