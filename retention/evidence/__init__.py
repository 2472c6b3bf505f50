"""The evidence core: a Merkle log without personal data, proofs from it, and certificates that anyone can check."""
