"""What an account's API does where the vendor's page does not say: found out with a few requests.

``examine`` and ``conclude`` are pure: they say what to ask next and what the answers mean. ``ask`` moves the bytes.
"""
