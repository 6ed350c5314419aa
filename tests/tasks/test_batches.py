"""What a batch relies on."""

import pytest
from django.db.transaction import TransactionManagementError

from tasks import batches


def test_batch_without_a_transaction_is_refused() -> None:
    """One that failed could not be undone."""
    with pytest.raises(TransactionManagementError):
        batches.run("alice", [])
