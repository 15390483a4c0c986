"""The PrivacyFilter: nothing personal leaves, in text or in pixels."""
