"""Guards that platform code puts around its own clients: what would leave the country without a decision is not sent.

A guard asks a `Permit` and raises `TransferBlocked` before a byte is sent.

Source: clause 6.12; guarantee "enforced, not advised".
"""
