"""OCPP 1.6 transaction ids: unique for ever in the installation, and not guessable (rule X1).

Numbers come from one database sequence, in blocks; a keyed permutation of 1..2^31-1 hides their order. StopTransaction names
nothing but this id, so an id that can be counted up would let one station stop the transaction of another.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from typing import Final

from csms.ledger.port import LedgerTransaction

BLOCK: Final = 64
"""Numbers per step of the sequence; equals its INCREMENT in the schema."""

COUNT: Final = 2**31 - 1
_HALF_BITS: Final = 16
_MASK: Final = (1 << _HALF_BITS) - 1
_ROUNDS: Final = 6


class TransactionIdPermutation:
    """A Feistel network over 32 bits with cycle walking, keyed by the root secret: a bijection of 0..2^31-2 to 1..2^31-1."""

    def __init__(self, key: bytes) -> None:
        self._tables = [hmac.new(key, f"round {number}".encode(), hashlib.sha256).digest() for number in range(_ROUNDS)]

    def __call__(self, number: int) -> int:
        """The transaction id of the n-th transaction. Raises ValueError when the installation has used up all ids."""
        if not 0 <= number < COUNT:
            raise ValueError("all OCPP 1.6 transaction ids of this installation are used up")
        value = self._permute(number)
        while value >= COUNT:
            value = self._permute(value)
        return value + 1

    def _permute(self, value: int) -> int:
        left, right = value >> _HALF_BITS, value & _MASK
        for key in self._tables:
            mixed = hashlib.blake2s(right.to_bytes(2), key=key, digest_size=2).digest()
            left, right = right, left ^ int.from_bytes(mixed)
        return left << _HALF_BITS | right


class TransactionIdPool:
    """Hands out transaction ids of blocks that this process has taken from the sequence.

    A number that was handed out in a transaction that failed is lost, never used twice.
    """

    def __init__(self, key: bytes) -> None:
        self._permutation = TransactionIdPermutation(key)
        self._numbers: deque[int] = deque()

    async def take(self, tx: LedgerTransaction, count: int) -> list[int]:
        """`count` new transaction ids."""
        # asked again after each wait: the other transaction in flight takes from the same pool
        while (lacking := count - len(self._numbers)) > 0:
            for first in await tx.next_transaction_numbers(-(-lacking // BLOCK)):
                self._numbers.extend(range(first, first + BLOCK))
        return [self._permutation(self._numbers.popleft()) for _ in range(count)]
