"""What the tests of several writers share."""

import pytest


@pytest.fixture
def transformers():
    pytest.importorskip("torch", reason="Transformers runs on PyTorch here")
    return pytest.importorskip("transformers", reason="what is written is for Transformers")
