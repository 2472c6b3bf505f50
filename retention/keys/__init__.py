"""Keys: sealing, customer keys wrapped under epoch keys, and the roll that makes a shred stay a shred.

`sealer` is the way in for whoever seals and opens; `epochs` for whoever rolls. The catalogue implements
`store.KeyStore`, a provider (`file_provider`) implements `provider.KeyProvider`.
"""
