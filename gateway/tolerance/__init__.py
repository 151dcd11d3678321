"""What is forgiven to messages that break their schema (ocpp-j-rules section 3)."""

from gateway.tolerance.judge import Spared, Tolerance

__all__ = ["Spared", "Tolerance"]
