"""Stores of customer data behind one contract.

This package knows nothing of `retention`: it can list, hide, bring back and remove what lies at a place, and says
truthfully what it did. What a customer, a rule or a case is, it does not know. Adapters do not know each other.
"""
